"""What every process needs to live: lifecycle, signals, health, metrics, logs, settings."""
