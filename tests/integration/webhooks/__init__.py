"""Webhooks of real gateways, to a real receiver."""
