"""The in-memory ports by themselves."""
