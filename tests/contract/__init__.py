"""One test class per port, run against memory and against the real adapters."""
