"""Nodes that misbehave in ways a test wants and no user should have; ComfyUI loads this folder as custom nodes.

Those that are slow, fail, hang or kill are in `comfy_images/nodes/probes.py`; the blocker is in
`tests/conformance/comfyui/probe_nodes`.
"""

import importlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar, Final

_FOREVER_S: Final = 3_600.0


class _Torture:
    CATEGORY = "torture"
    FUNCTION = "run"
    RETURN_TYPES: tuple[str, ...] = ("IMAGE",)
    inputs: ClassVar[dict[str, Any]] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"image": ("IMAGE",), **cls.inputs}}

    @classmethod
    def IS_CHANGED(cls, **_inputs: object) -> float:  # noqa: N802 - ComfyUI's name
        return float("nan")


class TortureRaise(_Torture):
    """Fails in ways that are more than an exception."""

    inputs: ClassVar[dict[str, Any]] = {
        "how": (["exit", "memory", "assert", "long", "strange", "surrogate", "secret"],)
    }

    def run(self, image: Any, how: str) -> Any:
        del image
        match how:
            case "exit":
                raise SystemExit(3)  # ComfyUI's worker thread dies of it, its web server does not
            case "memory":
                raise MemoryError
            case "assert":
                raise RuntimeError("CUDA error: device-side assert triggered")
            case "long":
                raise ValueError("long " * 400_000)
            case "strange":
                raise ValueError("\x1b[31m\0 фото \u202e☃ <script>")
            case "surrogate":
                raise ValueError("\ud800")  # its log cannot be written, and the thread dies of that
            case _:
                raise OSError(f"no file {Path.home()}/x: https://h/y?token=cb_{'a' * 36}")


class TortureCrashOnce(_Torture):
    """Ends the process the first time that it sees a name."""

    inputs: ClassVar[dict[str, Any]] = {"name": ("STRING", {})}

    def run(self, image: Any, name: str) -> Any:
        folder = importlib.import_module("folder_paths").get_user_directory()
        seen = Path(folder) / f"torture-{name}"
        if not seen.exists():
            seen.touch()
            os._exit(9)
        seen.unlink()
        return (image,)


class TortureSay(_Torture):
    """An output node whose words are many, or no JSON."""

    OUTPUT_NODE = True
    inputs: ClassVar[dict[str, Any]] = {
        "word": ("STRING", {}),
        "times": ("INT", {"default": 1, "max": 100_000_000}),
        "what": (["text", "nan", "object"],),
    }

    def run(self, image: Any, word: str, times: int, what: str) -> Any:
        ui: dict[str, Any] = {"text": [word * times]}
        if what == "nan":
            ui |= {"numbers": [float("nan"), float("inf")], "none": [None]}
        if what == "object":
            ui |= {"things": [object()]}
        return {"ui": ui, "result": (image,)}


class TorturePrint(_Torture):
    """Prints a lot, half of it without a line's end."""

    inputs: ClassVar[dict[str, Any]] = {"lines": ("INT", {"default": 100_000, "max": 10_000_000})}

    def run(self, image: Any, lines: int) -> Any:
        for number in range(lines):
            sys.stdout.write(f"line {number} of {lines}, which nobody reads\n")
        sys.stdout.write("x" * lines)
        sys.stdout.flush()
        return (image,)


class TortureLeave(_Torture):
    """Leaves something running: in its process, beside it, or in a session of its own."""

    inputs: ClassVar[dict[str, Any]] = {"what": (["thread", "child", "session"],)}

    def run(self, image: Any, what: str) -> Any:
        if what == "thread":
            threading.Thread(target=time.sleep, args=(_FOREVER_S,), daemon=True).start()
        else:
            _children.append(
                subprocess.Popen(  # noqa: S603 - what a careless node does
                    [sys.executable, "-S", "-c", f"import time; time.sleep({_FOREVER_S})"],
                    start_new_session=what == "session",
                )
            )
        return (image,)


_children: Final[list[subprocess.Popen[bytes]]] = []
"""Kept, so that their ends are not warned of."""


class TortureMesh(_Torture):
    """A tetrahedron: ComfyUI has no source of meshes that needs no weights."""

    RETURN_TYPES = ("MESH",)

    def run(self, image: Any) -> Any:
        del image
        torch: Any = importlib.import_module("torch")
        mesh: Any = importlib.import_module("comfy_api.latest._util").MESH
        corners = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        sides = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]
        return (mesh(torch.tensor([corners]), torch.tensor([sides])),)


_NODES: Final = (
    TortureRaise,
    TortureCrashOnce,
    TortureSay,
    TorturePrint,
    TortureLeave,
    TortureMesh,
)
NODE_CLASS_MAPPINGS: Final = {node.__name__: node for node in _NODES}
