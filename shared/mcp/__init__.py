"""The tools and resources that AI agents get over the Model Context Protocol.

One layer for both transports: a client of the gateway's REST API, spoken to over the network
(`hv mcp`, stdio) or within the gateway's own process (`/mcp`). So every call goes through the
same keys, roles, checks and audit as a call from anywhere else.
"""
