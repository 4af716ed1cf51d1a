"""The rollback of an execution: law, plan, runbook."""
