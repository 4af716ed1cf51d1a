"""The validator: what only the live system, or a simulation, can tell of a run before it starts."""
