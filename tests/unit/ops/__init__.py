"""Unit tests of the operations files."""
