"""The embedded engine: a small server that speaks ComfyUI's protocol, for machines without ComfyUI.

It is what `./dev` runs when neither COMFYUI_URL nor COMFYUI_DIR is set. It follows ComfyUI 0.8.0 as
measured in the protocol fact sheet (shared/facts/comfyui-protocol.md, "the sheet" in this package),
runs plain image nodes on Pillow and NumPy, and says everywhere that it is not ComfyUI.
"""

ENGINE_VERSION = "engine-0.1.0"
HOW_TO_CONNECT_COMFYUI = (
    "This is Comfyburst's embedded engine, not ComfyUI: it has a few image nodes only. "
    "To run any node, connect a real ComfyUI: set COMFYUI_URL (one that runs) or COMFYUI_DIR "
    "(a folder with ComfyUI's main.py) in the environment of ./dev."
)
