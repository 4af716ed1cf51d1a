"""What can be asked of the gateway, whichever door it comes through: REST, MCP or another.

An operation takes a `Principal` where it matters who asks, raises `ProblemError` for what the
caller can mend, and knows nothing of HTTP.
"""
