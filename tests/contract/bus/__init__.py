"""One contract for the bus, over memory and NATS."""
