"""`comfyburst run`: a workflow file to files in a folder, by the public API alone."""
