"""The terminal face: `hv …`."""
