"""Grafana: one dashboard, written from a table of panels, and its provisioning."""
