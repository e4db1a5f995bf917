"""What the engine's nodes make of pixels and texts, against a real ComfyUI that runs the same graphs."""

import io
import sys
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from tests.comfy_images.engine.captures import DATA
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import empty, load, node
from tests.conformance.comfyui.servers import (
    INSTALLED,
    Server,
    running_comfyui,
    running_engine,
)

pytestmark = [
    pytest.mark.comfyui,
    pytest.mark.skipif(
        not INSTALLED.is_dir(), reason="COMFYBURST_TEST_COMFYUI names no installed ComfyUI"
    ),
]

_LEVELS = 1
_PHOTO, _BADGE, _MASK = ["photo", 0], ["badge", 0], ["badge", 1]
_SOURCES = {
    "photo": load("photo.png"),
    "badge": load("badge.png"),
    "small": empty(0x336699, width=80, height=300, batch_size=2),
    "red": node("LoadImageMask", image="badge.png", channel="red"),
    "thrice": node("RepeatImageBatch", image=_PHOTO, amount=3),
    "both": node("ImageBatch", image1=_BADGE, image2=_PHOTO),
    "glass": node("JoinImageWithAlpha", image=_PHOTO, alpha=_MASK),
    "solid": node("SolidMask", value=0.3, width=20, height=9),
    "green": node("LoadImageMask", image="photo.png", channel="green"),
    "tiny": node("ImageScaleBy", image=_BADGE, upscale_method="area", scale_by=0.4),
}
_METHODS = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
_TEXT = "  Hello wörld, mcDonald's \n"


def _scaled(method: str, by: float) -> Any:
    return node("ImageScaleBy", image=_PHOTO, upscale_method=method, scale_by=by)


def _laid(source: str, x: int, y: int, *, resize: bool = False, **inputs: Any) -> Any:
    return node(
        "ImageCompositeMasked",
        destination=_PHOTO,
        source=[source, 0],
        x=x,
        y=y,
        resize_source=resize,
        **inputs,
    )


def _cropped(x: int, y: int, width: int, height: int) -> Any:
    return node("ImageCrop", image=_PHOTO, x=x, y=y, width=width, height=height)


_IMAGES: dict[str, Any] = {
    **{f"{method} {by}": _scaled(method, by) for method in _METHODS for by in (0.37, 1.7)},
    "total pixels": node(
        "ImageScaleToTotalPixels",
        image=_PHOTO,
        upscale_method="area",
        megapixels=0.07,
        resolution_steps=1,
    ),
    "laid": _laid("badge", 0, 0),
    "laid over the edge": _laid("badge", 400, 300),
    "laid outside": _laid("badge", 600, 100),
    "laid by a mask": _laid("tiny", 30, 40, mask=["red", 0]),
    "stretched, then laid": _laid("tiny", 10, 10, resize=True, mask=_MASK),
    "many laid on one": _laid("both", 3, 4),
    "many laid on many": node(
        "ImageCompositeMasked",
        destination=["thrice", 0],
        source=["both", 0],
        x=3,
        y=4,
        resize_source=False,
    ),
    **{
        f"flip {how}": node("ImageFlip", image=_PHOTO, flip_method=how)
        for how in ("x-axis: vertically", "y-axis: horizontally")
    },
    **{
        f"rotate {how}": node("ImageRotate", image=_PHOTO, rotation=how)
        for how in ("none", "90 degrees", "180 degrees", "270 degrees")
    },
    "crop": _cropped(3, 4, 100, 50),
    "crop over the edge": _cropped(500, 380, 1000, 1000),
    "crop outside": _cropped(600, 600, 10, 10),
    "batch": node("ImageBatch", image1=_PHOTO, image2=["small", 0]),
    "batch, the small one first": node("ImageBatch", image1=["small", 0], image2=_PHOTO),
    "from a batch": node("ImageFromBatch", image=["both", 0], batch_index=1, length=9),
    "from beyond a batch": node("ImageFromBatch", image=["both", 0], batch_index=7, length=2),
    **{
        f"noise {seed}": node("ImageAddNoise", image=["small", 0], seed=seed, strength=0.7)
        for seed in (0, 1, 2**40 + 3, 2**64 - 1)
    },
    **{
        f"longest side {side}": node(
            "ImageScaleToMaxDimension", image=_PHOTO, upscale_method="bilinear", largest_size=side
        )
        for side in (100, 777)
    },
    "glass": node("JoinImageWithAlpha", image=["tiny", 0], alpha=_MASK),
    "glass by a small mask": node("JoinImageWithAlpha", image=["both", 0], alpha=["solid", 0]),
    "glass twice": node("JoinImageWithAlpha", image=["glass", 0], alpha=_MASK),
    "no longer glass": node("SplitImageWithAlpha", image=["glass", 0]),
    "blur": node("ImageBlur", image=_PHOTO, blur_radius=3, sigma=1.3),
    "sharpen": node("ImageSharpen", image=_PHOTO, sharpen_radius=2, sigma=0.5, alpha=1.0),
    **{
        f"blend {mode}": node(
            "ImageBlend",
            image1=_PHOTO,
            image2=_BADGE,
            blend_factor=0.6,
            blend_mode=mode,
        )
        for mode in ("normal", "multiply", "screen", "overlay", "soft_light", "difference")
    },
}
_MASKS: dict[str, Any] = {
    **{
        f"grow {by} {tapered}": node("GrowMask", mask=_MASK, expand=by, tapered_corners=tapered)
        for by in (-3, 0, 5)
        for tapered in (True, False)
    },
    "crop": node("CropMask", mask=_MASK, x=500, y=380, width=100, height=100),
    **{
        f"load {channel} of {name}": node("LoadImageMask", image=name, channel=channel)
        for channel in ("alpha", "red", "green", "blue")
        for name in ("photo.png", "badge.png")
    },
    "of an image": node("ImageToMask", image=_PHOTO, channel="green"),
    **{
        f"feather {' '.join(map(str, sides))}": node(
            "FeatherMask",
            mask=["red", 0],
            **dict(zip(("left", "top", "right", "bottom"), sides, strict=True)),
        )
        for sides in ((0, 0, 0, 0), (30, 10, 7, 5), (600, 10, 20, 500))
    },
    **{
        f"{operation} at {x}": node(
            "MaskComposite",
            destination=["red", 0],
            source=["green", 0],
            x=x,
            y=3,
            operation=operation,
        )
        for operation in ("multiply", "add", "subtract", "and", "or", "xor")
        for x in (0, 300)
    },
    "threshold": node("ThresholdMask", mask=_MASK, value=0.5),
    "of a colour": node("ImageColorToMask", image=["small", 0], color=0x336699),
    "solid": node("SolidMask", value=0.37, width=30, height=20),
    "inverted": node("InvertMask", mask=_MASK),
}
_VALUES: list[Any] = [
    node("StringConcatenate", string_a=_TEXT, string_b="b", delimiter="-"),
    node("StringSubstring", string=_TEXT, start=1, end=-3),
    node("StringLength", string=_TEXT),
    *(
        node("CaseConverter", string=_TEXT, mode=mode)
        for mode in ("UPPERCASE", "lowercase", "Capitalize", "Title Case")
    ),
    *(node("StringTrim", string=_TEXT, mode=mode) for mode in ("Both", "Left", "Right")),
    node("StringReplace", string=_TEXT, find="l", replace="x"),
    *(
        node("StringContains", string=_TEXT, substring="hello", case_sensitive=sensitive)
        for sensitive in (True, False)
    ),
    *(
        node(
            "StringCompare",
            string_a=_TEXT,
            string_b="  hello",
            mode=mode,
            case_sensitive=sensitive,
        )
        for mode in ("Starts With", "Ends With", "Equal")
        for sensitive in (True, False)
    ),
    node("PrimitiveInt", value="-5"),
    node("PrimitiveFloat", value="3"),
    node("PrimitiveBoolean", value="false"),
    node("PrimitiveStringMultiline", value=7),
]
_SHOWN: list[Any] = [None, True, 1e30, "text", {"a": [1, "ü"]}, {"__value__": [1, 2]}]
_CHANGED = {
    "glass by a small mask": (0, 21),  # one alpha goes for every picture of a batch
    "load alpha of photo.png": (0, 21),  # a picture without one gives a mask of 64 x 64
    "feather 30 10 7 5": (0, 22),  # on the right and below it began one row too late
    "feather 600 10 20 500": (0, 22),
    repr({"a": [1, "ü"]}): (0, 33),  # no longer escaped
}
"""What ComfyUI makes otherwise since that version; the engine goes on as 0.8.0 does."""

Both = tuple[Server, Server]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[Both]:
    """The engine and a real ComfyUI, with the same two pictures."""
    bases = [tmp_path_factory.mktemp(name) for name in ("engine", "comfyui")]
    for base in bases:
        (base / "input").mkdir()
        for name in ("photo.png", "badge.png"):
            (base / "input" / name).write_bytes((DATA / name).read_bytes())
    async with running_engine(bases[0]) as engine, running_comfyui(bases[1]) as comfyui:
        yield engine, comfyui


@pytest.fixture
def idle() -> None:
    """These tests bring their servers."""


async def _pictures(client: EngineClient, graph: Any) -> list[Any]:
    saved = node("SaveImage", images=["result", 0], filename_prefix="x")
    entry = await client.run({**_SOURCES, **graph, "save": saved})
    assert entry["status"]["completed"], entry["status"]["messages"][-1]
    return [await _picture(client, file) for file in entry["outputs"]["save"]["images"]]


async def _picture(client: EngineClient, file: dict[str, str]) -> Any:
    content = (await client.get("/view", params=file)).body
    return np.asarray(Image.open(io.BytesIO(content)), dtype=np.int16)


async def _distance(both: Both, graph: Any) -> float:
    """In levels, where the two differ most; infinite for other sizes or another number of them."""
    ours, theirs = [await _pictures(server.client, graph) for server in both]
    if [one.shape for one in ours] != [one.shape for one in theirs]:
        return float("inf")
    return max(np.abs(one - other).max() for one, other in zip(ours, theirs, strict=True))


def _is_alike(both: Both, name: str) -> bool:
    """Whether that ComfyUI should make the same of it."""
    return both[1].version < _CHANGED.get(name, (sys.maxsize,))


@pytest.mark.parametrize("name", _IMAGES)
async def test_a_picture_is_comfyuis(both: Both, name: str) -> None:
    distance = await _distance(both, {"result": _IMAGES[name]})

    assert (distance <= _LEVELS) == _is_alike(both, name), distance


@pytest.mark.parametrize("name", _MASKS)
async def test_a_mask_is_comfyuis(both: Both, name: str) -> None:
    graph = {"mask": _MASKS[name], "result": node("MaskToImage", mask=["mask", 0])}

    distance = await _distance(both, graph)

    assert (distance <= _LEVELS) == _is_alike(both, name), distance


@pytest.mark.parametrize("source", _VALUES, ids=lambda value: value["class_type"])
async def test_a_value_is_comfyuis(both: Both, source: Any) -> None:
    graph = {"value": source, "show": node("PreviewAny", source=["value", 0])}

    ours, theirs = [(await server.client.run(graph))["outputs"] for server in both]

    assert ours == theirs


@pytest.mark.parametrize("value", _SHOWN, ids=repr)
async def test_a_value_is_shown_as_comfyui_shows_it(both: Both, value: Any) -> None:
    graph = {"show": node("PreviewAny", source=value)}

    ours, theirs = [(await server.client.run(graph))["outputs"] for server in both]

    assert (ours == theirs) == _is_alike(both, repr(value)), (ours, theirs)


async def test_a_moving_webp_names_workflow_and_prompt_in_the_same_tags(both: Both) -> None:
    inputs = {"images": _PHOTO, "filename_prefix": "m", "fps": 7.0, "lossless": True}
    save = node("SaveAnimatedWEBP", **inputs, quality=80, method="fastest")
    graph = {"photo": _SOURCES["photo"], "9": save}
    info = {"extra_pnginfo": {"workflow": {"id": "w"}, "other": [1]}}

    tags: list[Any] = []
    for server in both:
        entry = await server.client.run(graph, extra_data=info)
        [file] = entry["outputs"]["9"]["images"]
        content = (await server.client.get("/view", params=file)).body
        tags.append(dict(Image.open(io.BytesIO(content)).getexif()))

    assert tags[0] == tags[1]
