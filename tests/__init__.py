"""The tests, one package per tier."""
