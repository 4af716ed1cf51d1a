"""What is learned from executions that have ended."""
