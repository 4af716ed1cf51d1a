"""The suggestion service's parts, in memory."""
