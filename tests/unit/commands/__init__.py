"""The commands: specifications, policy, and what runs without leaving this process."""
