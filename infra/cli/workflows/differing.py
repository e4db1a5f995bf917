"""`comfyburst workflows diff`: what is different between two versions, as people read it."""

import json
from collections.abc import Iterator
from pathlib import Path

from infra.cli.run.api import Api, Json
from infra.cli.run.named import address_of
from infra.cli.workflows.asking import ask, cell, print_json, say


def diff(state: Path, name: str, old: str, new: str, *, as_json: bool) -> int:
    """Print what is different."""

    def work(api: Api) -> None:
        plain_name, _ = address_of(name)
        found = api.call("GET", f"workflows/{plain_name}/diff", params={"from": old, "to": new})
        if as_json:
            print_json(found)
            return
        for line in lines_of(found):
            say(line)

    return ask(state, work)


def lines_of(found: Json) -> Iterator[str]:
    """`+` came, `-` went, `~` differs."""
    yield f"{found['from_version']} → {found['to_version']}"
    if found["is_same"]:
        yield "nothing is different"
    yield from _nodes(found["nodes"])
    for kind in ("inputs", "outputs"):
        changes: Json = found[kind]
        yield from (f"+ {kind[:-1]} {cell(name)}" for name in changes["added"])
        yield from (f"- {kind[:-1]} {cell(name)}" for name in changes["removed"])
        for each in changes["changed"]:
            yield f"~ {kind[:-1]} {cell(each['name'])}"
            yield from _fields(each["fields"])
    if found["environment"]:
        yield f"~ environment {found['environment']['from']} → {found['environment']['to']}"


def _nodes(changes: Json) -> Iterator[str]:
    yield from (f"+ node {_named(node)}" for node in changes["added"])
    yield from (f"- node {_named(node)}" for node in changes["removed"])
    for node in changes["changed"]:
        yield f"~ node {_named(node)}"
        if "class_type_before" in node:
            yield f"    was {cell(node['class_type_before'])}"
        yield from _fields(node.get("fields", []))


def _fields(fields: list[Json]) -> Iterator[str]:
    for each in fields:
        before = cell(json.dumps(each["from"], ensure_ascii=False)) if "from" in each else "(none)"
        after = cell(json.dumps(each["to"], ensure_ascii=False)) if "to" in each else "(none)"
        yield f"    {cell(each['field'])}: {before} → {after}"


def _named(node: Json) -> str:
    title = node["title"]
    kind = cell(node["class_type"])
    return cell(node["node_id"]) + (f" {cell(title)} ({kind})" if title else f" {kind}")
