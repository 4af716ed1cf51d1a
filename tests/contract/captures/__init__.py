"""One contract for every store of captures."""
