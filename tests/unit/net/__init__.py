"""Addresses and what may be connected to."""
