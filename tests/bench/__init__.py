"""Tests of the benchmarks themselves: short runs, plausible figures."""
