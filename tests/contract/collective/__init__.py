"""The ports of the collective: in memory, in MongoDB, and over the bus."""
