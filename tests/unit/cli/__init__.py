"""The parts of `hv` that need no gateway."""
