"""The adapters of the bus under faults of real servers."""
