"""What crosses the gateway's HTTP door: one model per request and answer."""
