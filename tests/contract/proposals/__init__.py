"""Stores of proposed workflows."""
