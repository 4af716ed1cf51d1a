"""Carrying tuning out."""
