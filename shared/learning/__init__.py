"""What is learned online from commands and outcomes: pure models, no I/O, no clock."""
