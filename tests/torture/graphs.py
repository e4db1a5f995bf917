"""Graphs of one to four hundred nodes around one plain picture, whose colour tells whose it is."""

from typing import Any, Final

SIDE: Final = 32
SAME: Final = 0x123456
"""The colour of the prompt that is sent again and again."""

Graph = dict[str, Any]
Link = list[Any]


def _node(class_type: str, **inputs: Any) -> Graph:
    return {"class_type": class_type, "inputs": inputs}


def save(link: Link, prefix: str = "torture") -> Graph:
    return _node("SaveImage", images=link, filename_prefix=prefix)


def preview(link: Link) -> Graph:
    return _node("PreviewImage", images=link)


def _empty(colour: int, side: int = SIDE, count: int = 1) -> Graph:
    return _node("EmptyImage", width=side, height=side, batch_size=count, color=colour)


def image(colour: int, *, side: int = SIDE, count: int = 1, prefix: str = "torture") -> Graph:
    """Nothing else."""
    return {"1": _empty(colour, side, count), "2": save(["1", 0], prefix)}


def through(colour: int, class_type: str, **inputs: Any) -> Graph:
    """By a node that takes a picture and gives it on, if it gives anything."""
    return {
        "1": _empty(colour),
        "2": _node(class_type, image=["1", 0], **inputs),
        "3": save(["2", 0]),
    }


def chain(colour: int, length: int) -> Graph:
    """Turned over and over, which changes nothing."""
    nodes: Graph = {"1": _empty(colour)}
    for number in range(2, length):
        flip = {"image": [str(number - 1), 0], "flip_method": "x-axis: vertically"}
        nodes[str(number)] = _node("ImageFlip", **flip)
    return nodes | {str(length): save([str(length - 1), 0])}


def laid_on_photo(colour: int) -> Graph:
    """A picture that was uploaded, covered by ours."""
    return {
        "1": _node("LoadImage", image="photo.png"),
        "2": _empty(colour, 512),
        "4": _node(
            "ImageCompositeMasked",
            destination=["1", 0],
            source=["2", 0],
            x=0,
            y=0,
            resize_source=False,
        ),
        "5": save(["4", 0]),
    }


def say(link: Link, word: str, times: int, what: str = "text") -> Graph:
    return _node("TortureSay", image=link, word=word, times=times, what=what)


def mesh(colour: int) -> Graph:
    return {
        "1": _empty(colour),
        "2": _node("TortureMesh", image=["1", 0]),
        "3": _node("SaveGLB", mesh=["2", 0], filename_prefix="mesh/torture"),
    }


def absent_model() -> Graph:
    """An output that ComfyUI finds invalid and the front door cannot: models are not its business."""
    return {
        "20": _node("UNETLoader", unet_name="absent.safetensors", weight_dtype="default"),
        "21": _node("ModelSave", model=["20", 0], filename_prefix="model"),
    }
