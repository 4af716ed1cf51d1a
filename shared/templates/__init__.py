"""Workflow templates as files: read them, write them, and the six that come with the product."""
