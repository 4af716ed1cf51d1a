"""Models that wheels ship: the only place that looks for their files."""
