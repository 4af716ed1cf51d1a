"""The ports of webhooks, in memory and real."""
