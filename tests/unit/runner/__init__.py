"""The runner of an agent, part by part."""
