"""The learning service on real servers."""
