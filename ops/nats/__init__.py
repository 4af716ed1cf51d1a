"""What the NATS server is told: who may publish and subscribe where."""
