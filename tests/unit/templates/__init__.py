"""Template files and the built-in templates."""
