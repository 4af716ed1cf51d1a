"""Pure tests of one module at a time; no server, no clock, no network."""
