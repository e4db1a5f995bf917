"""Writes an image down as a Dockerfile. Every word of a command is quoted for the shell that reads it."""

import json
import shlex
from collections.abc import Iterator
from typing import Final

from comfy_images.image import ImagePlan
from comfy_images.steps import Command

_WIDTH: Final = 100
_WRITABLE: Final = ("input", "models", "output", "temp", "user")


def dockerfile(plan: ImagePlan) -> str:
    """The Dockerfile of an image; the same text for the same plan.

    Raises:
        ValueError: a word holds what no Dockerfile can hold, a line break.
    """
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: ImagePlan) -> Iterator[str]:
    yield "# syntax=docker/dockerfile:1"
    yield f"# Environment {_plain(plan.name)}. Written by `comfyburst environments dockerfile`: change its TOML."
    yield f"FROM {_plain(plan.base)}"
    yield f"LABEL comfyburst.environment={_quoted(plan.name)} comfyburst.digest={_quoted(plan.digest)}"
    for name, value in plan.variables.items():
        yield f"ENV {_plain(name)}={_quoted(value)}"
    yield ""
    yield "# what every step below needs"
    yield from _run(
        ("apt-get", "update"),
        ("apt-get", "install", "--yes", "--no-install-recommends", *plan.system_packages),
        ("rm", "-rf", "/var/lib/apt/lists"),
    )
    for step in plan.steps:
        yield ""
        yield f"# {_plain(step.title)}"
        yield from _run(*step.commands)
    yield ""
    yield "# Nodes run as nobody's administrator. Models are mounted: they are no part of the image."
    folders = tuple(str(plan.places.comfyui / name) for name in _WRITABLE)
    yield from _run(
        ("useradd", "--create-home", "--uid", "10001", "comfy"),
        ("mkdir", "-p", *folders),
        ("chown", "-R", "comfy", *folders),
    )
    yield "USER comfy"
    yield f"WORKDIR {_plain(str(plan.places.comfyui))}"
    yield f"VOLUME {json.dumps([str(plan.places.comfyui / 'models')])}"
    yield "# ComfyUI asks nobody who they are: publish this port on loopback, -p 127.0.0.1:8188:8188."
    yield "EXPOSE 8188"
    yield f"CMD {json.dumps([*map(_plain, plan.command), '--listen', '0.0.0.0', '--port', '8188'])}"  # noqa: S104 - inside the container


def _run(*commands: Command) -> Iterator[str]:
    """One RUN, wrapped: Docker takes no line of more than 64 KiB."""
    words: list[str] = []
    for index, command in enumerate(commands):
        words += (["&&"] if index else []) + [shlex.quote(_plain(word)) for word in command]
    line = "RUN"
    for word in words:
        if word == "&&" or len(line) + len(word) + 3 > _WIDTH:
            yield f"{line} \\"
            line = f"    {word}"
        else:
            line += f" {word}"
    yield line


def _plain(word: str) -> str:
    """A line break would begin an instruction of its own, inside quotes too."""
    if not word.isprintable():
        raise ValueError(f"{word!r} cannot stand in a Dockerfile")
    return word


def _quoted(value: str) -> str:
    """For LABEL and ENV, where Docker itself expands `$`."""
    escaped = _plain(value).replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
