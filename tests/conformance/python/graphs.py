"""Graphs for the front door's own object_info, and what its worker is handed of them."""

from typing import Any

import httpx
from comfy_sdk import Workflow

from tests.app.conftest import House
from tests.app.front_door import POSTER


def poster(prompt: str = "hello") -> Workflow:
    """A graph without files."""
    return Workflow(
        {**POSTER, "1": {"class_type": "Poster", "inputs": {"prompt": prompt, "seed": 1}}}
    )


def reading(image: Any) -> Workflow:
    """A graph that reads a file, by handle or by name."""
    return Workflow(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": image}},
            "2": {
                "class_type": "SaveImage",
                "inputs": {"images": ["1", 0], "filename_prefix": "x"},
            },
        }
    )


def inputs_of_the_next_job(house: House) -> list[bytes]:
    """The files of the next ticket, whose job then succeeds."""
    ticket = house.executor.claim()
    assert ticket is not None
    contents = [httpx.get(given["url"]).content for given in ticket["inputs"]]
    house.executor.succeed()
    return contents
