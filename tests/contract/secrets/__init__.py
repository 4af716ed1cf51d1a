"""One contract for every place in which an agent looks for secrets."""
