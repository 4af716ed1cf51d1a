"""The port of the validator service, in memory and over NATS."""
