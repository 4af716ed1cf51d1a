"""Executor processes on real NATS and MongoDB: takeover, poison, stopping, losses, outages."""
