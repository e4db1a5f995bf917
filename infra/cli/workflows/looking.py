"""Commands that look: list, show, versions, schema, code."""

import json
from pathlib import Path
from typing import cast

from rich.table import Table

from infra.cli.run.api import Api, Json
from infra.cli.run.inputs import InputError
from infra.cli.run.named import address_of
from infra.cli.workflows.asking import all_of, ask, cell, print_json, print_table, say, words


def list_all(state: Path, *, archived: bool, as_json: bool) -> int:
    """All workflows of the workspace."""

    def work(api: Api) -> None:
        found = all_of(api, "workflows", "workflows", archived=str(archived).lower())
        if as_json:
            print_json(found)
            return
        table = Table("name", "versions", "aliases", "changed")
        for each in found:
            table.add_row(
                cell(each["name"]),
                cell(each["newest"]),
                cell(words(each["aliases"])),
                cell(str(each["updated_at"])[:16].replace("T", " ")),
            )
        print_table(table)

    return ask(state, work)


def show(state: Path, reference: str, *, as_json: bool) -> int:
    """One version."""

    def work(api: Api) -> None:
        name, version = address_of(reference)
        found = api.call("GET", f"workflows/{name}/versions/{version}")
        if as_json:
            print_json(found)
            return
        say(f"{found['reference']}  {', '.join(found['aliases'])}")
        if found["notes"]:
            say(found["notes"])
        print_bindings(found["bindings"])

    return ask(state, work)


def versions(state: Path, name: str, *, as_json: bool) -> int:
    """The versions of one workflow."""

    def work(api: Api) -> None:
        plain_name, _ = address_of(name)
        found = all_of(api, f"workflows/{plain_name}/versions", "versions")
        if as_json:
            print_json(found)
            return
        table = Table("version", "aliases", "environment", "pushed", "notes")
        for each in found:
            table.add_row(
                cell(each["version"]),
                cell(", ".join(each["aliases"])),
                cell(each["environment"]),
                cell(str(each["created_at"])[:16].replace("T", " ")),
                cell(each["notes"]),
            )
        print_table(table)

    return ask(state, work)


def schema(state: Path, reference: str) -> int:
    """The JSON Schema of a version's inputs."""

    def work(api: Api) -> None:
        name, version = address_of(reference)
        print_json(api.call("GET", f"workflows/{name}/schema", params={"version": version}))

    return ask(state, work)


def code(state: Path, reference: str, label: str | None) -> int:
    """Programs that run a version."""

    def work(api: Api) -> None:
        name, version = address_of(reference)
        found = api.call("GET", f"workflows/{name}/code", params={"version": version})
        samples = cast("list[Json]", found["samples"])
        wanted = [s for s in samples if label is None or label in {s["label"], s["lang"]}]
        if not wanted:
            raise InputError(f"there is: {', '.join(str(s['label']) for s in samples)}")
        for sample in wanted:
            if label is None:
                say(f"--- {sample['lang']}, {sample['label']} ---")
            say(sample["source"])

    return ask(state, work)


def print_bindings(bindings: Json) -> None:
    """What a version takes and gives."""
    table = Table("input", "type", "default", "takes", "label")
    for each in bindings["inputs"]:
        table.add_row(
            cell(each["name"] + ("" if each["group"] == "main" else " (advanced)")),
            cell(each["type"]),
            cell("(needed)" if each["required"] else _text(each["default"])),
            cell(_takes(each)),
            cell(each["label"]),
        )
    print_table(table)
    for each in bindings["outputs"]:
        say(f"  gives {each['name']}: {each['kind']}, of node {each['node_id']}")


def _takes(binding: Json) -> str:
    if binding["choices"]:
        return " | ".join(str(choice) for choice in binding["choices"])
    if binding["file_kind"]:
        return str(binding["file_kind"])
    low, high = binding["minimum"], binding["maximum"]
    span = "" if low is None and high is None else f"{_bound(low)} … {_bound(high)}"
    return f"{span} {binding['unit'] or ''}".strip()


def _bound(value: object) -> str:
    return "" if value is None else str(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
