"""Workflows found in what was recorded."""
