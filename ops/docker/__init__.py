"""Docker: the image, and the passwords that docker-compose.yml reads."""
