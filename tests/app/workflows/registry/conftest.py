"""What the tests of the registry stand on: a house for a module, somebody in a workspace of their own."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from infra.local.postgres import EmbeddedPostgres
from tests.app.conftest import House, lasting_house
from tests.app.front_door import POSTER, Caller

Json = dict[str, Any]


@pytest.fixture(scope="module")
def open_house(
    postgres: EmbeddedPostgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[House]:
    with lasting_house(postgres, migrated_template, tmp_path_factory.mktemp("house")) as house:
        yield house


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody who pushes workflows."""

    house: House
    caller: Caller

    @property
    def http(self) -> httpx.Client:
        return self.caller.http

    def push(self, workflow: Json | None = None, name: str = "poster", **more: Any) -> Json:
        """Push a workflow; returns its version."""
        reply = self.try_push(workflow, name, **more)
        assert reply.is_success, reply.text
        return reply.json()

    def try_push(
        self, workflow: Json | None = None, name: str = "poster", **more: Any
    ) -> httpx.Response:
        body = {"name": name, "workflow": workflow or POSTER, **more}
        return self.http.post("/workflows", json=body)

    def bind(self, name: str = "poster", **body: Any) -> Json:
        """Change bindings; returns the version."""
        reply = self.http.patch(f"/workflows/{name}/bindings", json=body)
        assert reply.is_success, reply.text
        return reply.json()

    def run(self, workflow: str, inputs: Json | None = None, **more: Any) -> Json:
        """Submit by name; returns the job."""
        reply = self.try_run(workflow, inputs, **more)
        assert reply.status_code == 201, reply.text
        return reply.json()

    def try_run(self, workflow: str, inputs: Json | None = None, **more: Any) -> httpx.Response:
        body = {"workflow": workflow, **({} if inputs is None else {"inputs": inputs}), **more}
        return self.http.post("/jobs", json=body)

    def graph(self, job_id: str) -> Json:
        """What a job executes."""
        return self.http.get(f"/jobs/{job_id}/workflow").json()["workflow"]

    def get(self, path: str, **params: Any) -> Json:
        reply = self.http.get(path, params=params)
        assert reply.status_code == 200, reply.text
        return reply.json()


@pytest.fixture
def author(open_house: House) -> Author:
    """A fresh workspace in the house of the module."""
    return Author(open_house, open_house.caller(f"w{uuid4().hex}"))


def changed(workflow: Json, node_id: str, **inputs: Any) -> Json:
    """The workflow with other inputs of one node."""
    node = workflow[node_id]
    return {**workflow, node_id: {**node, "inputs": {**node["inputs"], **inputs}}}


def code_of(reply: httpx.Response) -> str:
    """Status and code of a refusal."""
    return f"{reply.status_code} {reply.json()['error']['code']}"
