"""Why an execution waits, fails or is stuck: pure findings over a picture that was gathered."""
