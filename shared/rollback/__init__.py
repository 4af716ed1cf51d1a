"""The rollback of an execution: its plan, its law, its runbook. Pure."""
