"""What an agent keeps before a step changes anything, and how it is put back."""
