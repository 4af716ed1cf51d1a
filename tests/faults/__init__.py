"""Real processes are killed and frozen: a cluster's servers, and our own on it."""
