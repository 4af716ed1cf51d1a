"""Whole-system tests through the public doors."""
