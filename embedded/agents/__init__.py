"""The demonstration's agents: each a small HTTP server of its own behind the gateway."""
