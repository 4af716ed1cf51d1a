"""The pure core: frozen data and pure functions that decide what an execution does next."""
