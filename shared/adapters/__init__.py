"""NATS and MongoDB behind the ports: the only modules that import their drivers."""
