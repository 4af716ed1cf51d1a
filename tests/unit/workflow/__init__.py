"""Examples and properties of the pure core."""
