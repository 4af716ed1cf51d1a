"""The commands an agent can run: one module for each family, and what they share."""
