"""A small gateway for demonstrations and tests: real HTTP servers, the released wire, state in memory."""
