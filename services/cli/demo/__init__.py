"""`hv demo`: the whole system at work on this machine, with nothing staged."""
