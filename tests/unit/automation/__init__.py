"""Tests of what starts workflows by itself."""
