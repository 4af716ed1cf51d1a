"""The only door: REST, WebSocket, MCP and webhooks, with authentication, limits and audit."""
