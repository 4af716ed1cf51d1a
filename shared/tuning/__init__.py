"""Carrying tuning out: what is proposed becomes a version of a template, and is taken back."""
