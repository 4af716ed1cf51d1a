"""Why an execution waits: findings over pictures."""
