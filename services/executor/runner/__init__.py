"""The runner: takes tasks from the pools of one agent, runs them, reports."""
