"""Runs prompts: in one worker thread, node by node, as ComfyUI 0.8.0 does (sheet §2, §3)."""
