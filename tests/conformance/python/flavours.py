"""The two clients of the official SDK behind one face, so that every test drives both.

`Comfy` is used as it is. Of `AsyncComfy` every coroutine is awaited and every async iterator
stepped on a loop of its own, in whichever thread asks.
"""

import asyncio
import dataclasses
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import pytest
from comfy_low import AsyncComfyLow, ComfyLow
from comfy_sdk import AsyncComfy, Comfy, OutputReady, Workflow

Flavour = Literal["sync", "async"]


@contextmanager
def opened(flavour: Flavour, url: str, key: str, *, timeout: float = 30.0) -> Generator[Comfy]:
    """A client for that address; its methods block, whichever it is."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COMFY_BASE_URL", url)  # the SDK is told its address in no other way
        made = (Comfy if flavour == "sync" else AsyncComfy)(api_key=key, timeout=timeout)
    if isinstance(made, Comfy):
        with made:
            yield made
        return
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        try:
            yield cast(Comfy, Face(made, runner))
        finally:
            runner.run(made.aclose())


@contextmanager
def opened_low(flavour: Flavour, url: str, key: str) -> Generator[ComfyLow]:
    """The layer beneath: for fields that the SDK itself never sends."""
    if flavour == "sync":
        with ComfyLow(url, key) as low:
            yield low
        return
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        made = AsyncComfyLow(url, key)
        try:
            yield cast(ComfyLow, Face(made, runner))
        finally:
            runner.run(made.aclose())


class Face:
    """An object of the async SDK that looks like its sync twin."""

    def __init__(self, target: Any, runner: asyncio.Runner) -> None:
        self.target = target
        self.runner = runner

    def __getattr__(self, name: str) -> Any:
        return _faced(getattr(self.target, name), self.runner)

    def __repr__(self) -> str:
        return repr(self.target)


def _faced(value: Any, runner: asyncio.Runner) -> Any:
    if inspect.iscoroutine(value):
        return _faced(runner.run(value), runner)
    if inspect.isasyncgen(value):
        return _stepped(cast(AsyncIterator[Any], value), runner)
    if inspect.ismethod(value):
        return _called(value, runner)
    if isinstance(value, list):
        return [_faced(item, runner) for item in cast(list[Any], value)]
    if isinstance(value, OutputReady):
        return dataclasses.replace(value, output=_faced(value.output, runner))
    return Face(value, runner) if type(value).__name__.startswith("Async") else value


def _called(method: Callable[..., Any], runner: asyncio.Runner) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return _faced(method(*map(_bare, args), **kwargs), runner)

    return call


def _stepped(values: AsyncIterator[Any], runner: asyncio.Runner) -> Iterator[Any]:
    async def step() -> Any:
        return await anext(values, StopIteration)

    while (value := runner.run(step())) is not StopIteration:
        yield _faced(value, runner)


def _bare(value: Any) -> Any:
    """Without faces: what the async SDK may be given."""
    if isinstance(value, Face):
        return value.target
    if isinstance(value, Workflow):
        return Workflow(_bare(value.json))
    if isinstance(value, dict):
        return {name: _bare(item) for name, item in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_bare(item) for item in cast(list[Any], value)]
    return value
