"""One contract for the store of executions, over memory and MongoDB."""
