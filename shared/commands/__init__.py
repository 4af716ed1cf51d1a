"""What every command promises: its parameters, its output, its effects. Nothing is run here."""
