"""`comfyburst workflows`: what can be run by name, by the public API alone."""
