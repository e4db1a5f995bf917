"""What the routes of the registry have in common: names and versions in their addresses."""

from typing import Annotated

from fastapi import Path, Query

from app.errors import NotFoundError
from app.workflows.registry.names import Reference, Selector, is_name

Name = Annotated[str, Path(description="Name of the workflow.", examples=["poster"])]
VersionPath = Annotated[
    str,
    Path(description="Number of the version, or a word that leads to it.", examples=["2"]),
]
VersionQuery = Annotated[
    str,
    Query(description="Number of the version, or a word that leads to it.", examples=["prod"]),
]
Cursor = Annotated[
    str | None, Query(description="`next_cursor` of the page before.", examples=["cG9zdGVy"])
]
AliasPath = Annotated[
    str,
    Path(
        description="1 to 64 small letters, digits, `-` and `_`, a letter first.",
        examples=["prod"],
    ),
]


def checked_name(name: str) -> str:
    """A name that a workflow may have; raises NotFoundError."""
    if not is_name(name):
        raise NotFoundError("workflow")
    return name


def checked_alias(alias: str) -> str:
    """A word that may lead to a version; raises NotFoundError."""
    selector = Selector.parse(alias)
    if selector is None or selector.alias is None:
        raise NotFoundError("alias")
    return selector.alias


def checked_selector(text: str) -> Selector:
    """The number of a version, or a word; raises NotFoundError."""
    selector = Selector.parse(text)
    if selector is None:
        raise NotFoundError("version")
    return selector


def checked_reference(name: str, version: str) -> Reference:
    """A version of a workflow; raises NotFoundError."""
    return Reference(checked_name(name), checked_selector(version))
