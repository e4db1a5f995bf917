"""How the frames of two servers are compared with the captured ones."""

from typing import Any

from tests.comfy_images.engine.captures import by_node, captured_frames, comparable
from tests.comfy_images.engine.client import Frame
from tests.conformance.comfyui.servers import Server


def assert_alike(server: Server, frames: list[Frame], capture: str) -> None:
    """The captured frames, in the captured order.

    ComfyUI decides at random which of several outputs comes first (sheet §3), so that of it only the
    frames of each node are compared. The engine goes by the order of the prompt.
    """
    captured = captured_frames(capture)
    assert by_node(frames) == by_node(captured)
    if not server.is_comfyui:
        assert comparable(frames) == comparable(captured)


def error_of(frames: list[Frame]) -> Any:
    return next(frame.data for frame in frames if frame.kind == "execution_error")
