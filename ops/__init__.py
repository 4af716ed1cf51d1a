"""What runs and watches the system: the embedded stack, images, server configurations."""
