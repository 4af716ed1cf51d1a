"""The ports of the gateway: one contract each, in memory and on the real servers."""
