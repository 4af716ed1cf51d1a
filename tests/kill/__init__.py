"""Real processes are killed midway; nothing may be lost, and nothing done twice unseen."""
