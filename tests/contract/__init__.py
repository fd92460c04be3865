"""One suite for every gateway: what the client may rely on, asked of the embedded gateway or of a live one."""
