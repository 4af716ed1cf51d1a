"""The pure rules of the collective, and the commands over it in memory."""
