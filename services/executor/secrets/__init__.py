"""Secrets on an agent: where they are found, who may use them, and how they get into parameters."""
