"""Prometheus: what it scrapes, when it alerts, and the same for the embedded stack."""
