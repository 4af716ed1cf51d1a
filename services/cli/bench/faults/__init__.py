"""`hv bench faults`: a cluster under load, whose parts are killed and frozen in a random order."""
