"""Real shells under a pseudo-terminal, with the hook that records what is typed."""
