"""Several services in one process."""
