"""The state machines, one a file; each is a table, and the table draws the diagram in the docs."""
