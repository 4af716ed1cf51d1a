"""The rollback service: makes the plans of rollbacks, and accounts for what they undid."""
