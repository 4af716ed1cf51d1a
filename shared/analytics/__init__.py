"""Counts of what was run, over time: buckets that are merged and answered from; pure."""
