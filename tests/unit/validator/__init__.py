"""The validator service over ports in memory, with agents that answer for themselves."""
