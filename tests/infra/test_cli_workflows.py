"""`comfyburst workflows` before a real front door, as a user types it."""

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from infra.cli.workflows.differing import lines_of
from infra.cli.workflows.group import workflows
from infra.local.postgres import EmbeddedPostgres
from tests.app.conftest import House, lasting_house
from tests.app.front_door import POSTER, Caller


@pytest.fixture(scope="module")
def open_house(
    postgres: EmbeddedPostgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[House]:
    with lasting_house(postgres, migrated_template, tmp_path_factory.mktemp("house")) as house:
        yield house


@dataclass(frozen=True, slots=True)
class Shell:
    """Somebody in a folder, with a key."""

    folder: Path
    caller: Caller

    def __call__(self, *words: str, code: int = 0) -> str:
        """Type it; returns what was printed."""
        env = {
            "COMFY_BASE_URL": self.caller.url,
            "COMFY_API_KEY": self.caller.key,
            "COLUMNS": "120",
            "NO_COLOR": "1",
        }
        result = CliRunner().invoke(workflows, list(words), env=env)
        assert result.exit_code == code, (result.stdout, result.stderr)
        return result.stdout + result.stderr

    def json(self, *words: str) -> Any:
        """Type it with --json."""
        return json.loads(self(*words, "--json"))

    def file(self, content: Any, name: str = "flow.json") -> str:
        """Write a file; returns its path."""
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)


@pytest.fixture
def shell(open_house: House, tmp_path: Path) -> Shell:
    return Shell(tmp_path, open_house.caller(f"w{uuid4().hex}"))


def push(shell: Shell, prompt: str = "hello") -> str:
    first = {**POSTER["1"], "inputs": {"prompt": prompt, "seed": 1}}
    return shell("push", shell.file({**POSTER, "1": first}), "--name", "poster")


def test_a_push_says_the_version_and_what_callers_can_give(shell: Shell) -> None:
    said = push(shell)
    assert said.startswith("poster@1\n")
    assert all(word in said for word in ("prompt", "text", "hello", "seed", "gives"))
    assert shell("show", "poster@1").startswith("poster@1  latest\n")
    assert shell.json("show", "poster")["graph"] == POSTER


def test_a_workflow_goes_from_push_to_rollback(shell: Shell) -> None:
    push(shell)
    made = shell("bind", "poster", "--set", "prompt.label=Text", "--remove", "seed", "--notes", "n")
    assert made.startswith("poster@2\n")
    assert "Text" in made
    push(shell, "other")
    versions = shell.json("versions", "poster")
    assert [each["version"] for each in versions] == [3, 2, 1]
    assert versions[1]["notes"] == "n"
    told = shell("diff", "poster", "1", "3")
    assert '    prompt: "hello" → "other"' in told.splitlines()
    assert "- input seed" in shell("diff", "poster", "1", "2").splitlines()
    assert shell("alias", "poster", "prod", "2") == "poster: latest → 3, prod → 2\n"
    assert shell("rollback", "poster") == "poster: latest → 2, prod → 2\n"
    assert shell("rollback", "poster", "--to", "1") == "poster: latest → 1, prod → 2\n"
    assert shell("rollback", "poster", "--alias", "prod") == "poster: latest → 1, prod → 1\n"
    assert shell("alias", "poster", "prod", "--delete") == "poster@prod leads nowhere now\n"
    [listed] = shell.json("list")
    assert (listed["newest"], listed["aliases"]) == (3, {"latest": 1})
    assert "latest → 1" in shell("list")


def test_what_is_archived_comes_back(shell: Shell) -> None:
    push(shell)
    assert shell("archive", "poster") == "poster is archived\n"
    assert shell.json("list") == []
    assert [each["name"] for each in shell.json("list", "--archived")] == ["poster"]
    shell("archive", "poster", "--restore")
    assert [each["name"] for each in shell.json("list")] == ["poster"]


def test_schema_and_code_are_printed(shell: Shell) -> None:
    push(shell)
    assert json.loads(shell("schema", "poster"))["properties"]["prompt"]["default"] == "hello"
    assert shell("code", "poster", "--for", "comfy-sdk").startswith("from comfy_sdk import Comfy\n")
    assert "--- Shell, curl ---" in shell("code", "poster")
    assert "there is: curl" in shell("code", "poster", "--for", "cobol", code=2)


def test_bindings_come_from_a_file_as_well(shell: Shell) -> None:
    push(shell)
    edits = shell.file({"inputs": {"seed": {"name": "variation"}}}, "edits.json")
    made = shell.json("bind", "poster", "--file", edits, "--set", "prompt.required:=true")
    inputs = {each["name"]: each for each in made["bindings"]["inputs"]}
    assert "variation" in inputs
    assert inputs["prompt"]["required"] is True


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "nobody"), 1, "workflow_not_found"),
        (("show", "No body"), 2, "not a name"),
        (("bind", "poster", "--set", "prompt"), 2, "INPUT.FIELD=VALUE"),
        (("bind", "poster", "--set", "prompt.minimum:=x"), 2, "not JSON"),
        (("bind", "poster", "--set", "prompt.minimum=x"), 1, "inputs.prompt.minimum"),
        (("alias", "poster", "prod"), 2, "--delete"),
        (("push", "/nowhere.json", "--name", "x"), 1, "No such file"),
        (("rollback", "poster"), 1, "no_earlier_version"),
    ],
)
def test_what_is_wrong_is_said(shell: Shell, words: tuple[str, ...], code: int, said: str) -> None:
    push(shell)
    assert said in shell(*words, code=code)


def test_a_file_without_a_workflow_says_why(shell: Shell) -> None:
    assert "no_workflow" in shell("push", shell.file({"a": 1}), "--name", "x", code=1)


def test_texts_of_a_server_move_no_cursor(shell: Shell) -> None:
    push(shell, "a\x1b[2J\u202eb")
    assert "\x1b" not in shell("show", "poster") + shell("code", "poster")


def test_a_diff_says_what_came_and_went() -> None:
    node = {"node_id": "1", "class_type": "A", "title": None}
    found: dict[str, Any] = {
        "from_version": 1,
        "to_version": 2,
        "is_same": False,
        "nodes": {
            "added": [{**node, "title": "New"}],
            "removed": [node],
            "changed": [
                {**node, "class_type_before": "B", "fields": [{"field": "x", "to": [1, 0]}]}
            ],
        },
        "inputs": {"added": ["a"], "removed": ["b"], "changed": []},
        "outputs": {"added": [], "removed": [], "changed": [{"name": "c", "fields": []}]},
        "environment": {"from": "local", "to": "video"},
    }
    assert list(lines_of(found)) == [
        "1 → 2",
        "+ node 1 New (A)",
        "- node 1 A",
        "~ node 1 A",
        "    was B",
        "    x: (none) → [1, 0]",
        "+ input a",
        "- input b",
        "~ output c",
        "~ environment local → video",
    ]
