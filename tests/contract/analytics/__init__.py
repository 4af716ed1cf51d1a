"""Tables of analytics: one suite for memory and MongoDB."""
