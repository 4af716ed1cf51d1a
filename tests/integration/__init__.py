"""Tests against real NATS and MongoDB servers and real processes."""
