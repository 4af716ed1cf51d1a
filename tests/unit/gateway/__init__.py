"""The parts of the gateway that need no server."""
