"""MongoDB in Docker: the step that makes it a replica set."""
