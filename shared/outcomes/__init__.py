"""What is learned from executions that have ended: pure models over the record's runs."""
