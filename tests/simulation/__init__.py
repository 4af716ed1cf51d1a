"""Seeded simulations of the core under crashes, duplicates, reorderings and lost workers."""
