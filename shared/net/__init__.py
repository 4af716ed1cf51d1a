"""The network, guarded: which addresses are public, and connections to checked addresses only."""
