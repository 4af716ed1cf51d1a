"""Validation of definitions and runs: rules that are pure, what they find, and how it is told."""
