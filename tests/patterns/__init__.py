"""The workflow patterns of van der Aalst's catalogue, each as a template that is played."""
