"""What is learned of outcomes, kept."""
