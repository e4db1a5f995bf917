"""A real ComfyUI, for tests and for newcomers: installed beside us, never vendored."""
