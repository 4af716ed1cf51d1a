"""Webhooks: events fan out into deliveries, which are sent until they arrive or are given up."""
