"""The embedded local stack: real NATS and MongoDB servers and the services, without Docker."""
