"""What every service may know: the pure core, contracts, ports, adapters and the runtime."""
