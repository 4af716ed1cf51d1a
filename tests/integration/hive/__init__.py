"""The hive on real NATS and MongoDB."""
