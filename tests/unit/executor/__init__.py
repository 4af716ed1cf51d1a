"""Tests of the executor's parts by themselves."""
