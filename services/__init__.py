"""The processes of the system; each knows `shared` and never another service."""
