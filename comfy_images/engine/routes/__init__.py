"""The HTTP routes, a module per subject; each has `routes(engine)`."""
