"""The commands with real processes, a real HTTP server and real file systems."""
