"""`hv bench NAME`: figures of the system on this machine, as a table and as JSON."""
