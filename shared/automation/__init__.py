"""Pure: what starts workflows by itself. Schedules and rules as states, messages and turns."""
