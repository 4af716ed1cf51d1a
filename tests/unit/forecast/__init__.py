"""Forecasts: by examples, and against the core itself."""
