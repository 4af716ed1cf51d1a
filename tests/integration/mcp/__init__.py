"""MCP over both transports, with the client of the SDK."""
