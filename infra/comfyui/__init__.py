"""A real ComfyUI without a GPU, for tests and for a look at the real thing: installed, never vendored."""
