"""The suggestion service: which workflow or command is wanted now, and why."""
