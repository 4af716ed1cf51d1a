"""Tests of the shape of the code: sizes, names, layers, drift of generated files."""
