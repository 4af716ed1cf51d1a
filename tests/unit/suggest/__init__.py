"""Texts to workflows."""
