"""The learning service over memory."""
