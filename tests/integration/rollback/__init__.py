"""Rollbacks on real servers."""
