"""Recording what is typed: the spool, what is left out, the sender, hooks of shells and agents."""
