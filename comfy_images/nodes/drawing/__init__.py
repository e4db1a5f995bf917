"""Drawing a poster with Pillow and NumPy alone: knows nothing of nodes, ComfyUI or the engine."""
