"""Coordinator (moves executions) and runner (runs commands on its host)."""
