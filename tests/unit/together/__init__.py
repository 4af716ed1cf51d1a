"""Tests of several services in one process."""
