"""The whole product with COMFY_USER: two workspaces alternate on its one worker, and one of them spies."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gpu_functions.isolation.processes import processes_of
from gpu_functions.settings import WorkerSettings
from infra.local.worker import worker_state
from tests.gpu_functions import attacks
from tests.gpu_functions.spying import MODULE, SPY, only_root, spare_uid
from tests.running import POSTER, Running, clean_environment, running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240), only_root]


@dataclass(frozen=True)
class Workspace:
    """A caller with a key of its own."""

    product: Running
    key: str

    def run(self, graph: dict[str, Any]) -> dict[str, Any]:
        """A job, at its end."""
        http = httpx.Client(
            base_url=self.product.api, headers={"Authorization": f"Bearer {self.key}"}, timeout=60
        )
        with http:
            reply = http.post("/jobs", json={"workflow": graph})
            assert reply.status_code == 201, reply.text
            job, until = reply.json(), time.monotonic() + 60
            while not job["completed_at"]:
                assert time.monotonic() < until, job
                job = http.get(f"/jobs/{job['id']}?wait=20").json()
        assert job["status"] == "succeeded", (job, self.product.log("worker")[-3_000:])
        return job

    def told(self, code: str) -> Any:
        """What code left in `result` as a node of this workspace."""
        job = self.run({"1": {"class_type": "Spy", "inputs": {"code": code}}})
        return httpx.get(job["outputs"][0]["url"], timeout=30).json()


@pytest.fixture(scope="module")
def uid() -> Generator[int]:
    with spare_uid() as uid:
        yield uid


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, uid: int) -> Generator[Running]:
    state = tmp_path_factory.mktemp("isolated") / "state"
    state.mkdir(mode=0o700)
    place = worker_state(state / "worker", WorkerSettings(comfy_user=str(uid)))
    (place / "custom_nodes").mkdir(exist_ok=True)
    (place / "custom_nodes" / "spy.py").symlink_to(SPY)
    variables = {"COMFY_USER": str(uid), "COMFYUI_ARGS": f"--node-module {MODULE}"}
    with running(state, variables) as product:
        yield product
    shutil.rmtree(place)


def workspace(product: Running, name: str) -> Workspace:
    made = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "infra.cli.main", "keys", "create", "--workspace", name],
        env=clean_environment({"COMFYBURST_STATE": str(product.state)}),
        capture_output=True,
        text=True,
        check=True,
    )
    (key,) = [word for word in made.stdout.split() if word.startswith("cb_")]
    return Workspace(product, key)


@pytest.fixture(scope="module")
def alice(product: Running) -> Workspace:
    return workspace(product, "alice")


@pytest.fixture(scope="module")
def bob(product: Running) -> Workspace:
    return workspace(product, "bob")


def test_ready_says_whose_rights_nodes_have(product: Running, uid: int) -> None:
    said = product.output.read_text()
    assert f"Nodes run as the user {uid} and serve every workspace" in said
    assert "with your rights" not in said


def test_two_workspaces_take_turns(alice: Workspace, bob: Workspace, uid: int) -> None:
    identities: set[int] = set()
    for turn, who in enumerate((alice, bob, alice, bob)):
        poster = {**POSTER, "1": {**POSTER["1"], "inputs": {**POSTER["1"]["inputs"], "seed": turn}}}
        job = who.run(poster)
        (output,) = job["outputs"]
        assert httpx.get(output["url"], timeout=30).content.startswith(b"\x89PNG")
        identities |= set(processes_of(uid))
    assert len(identities) >= 4


def test_what_one_leaves_the_other_does_not_find(alice: Workspace, bob: Workspace) -> None:
    assert len(alice.told(attacks.LEAVE_EVERYWHERE)) >= 7
    alice.told(attacks.POISON)
    sleeper, _ = alice.told(attacks.DAEMONS)

    seen = bob.told(attacks.LOOK_EVERYWHERE)

    assert (seen["found"], seen["said"], seen["history"]) == ([], [], 0)
    assert not Path(f"/proc/{sleeper}").exists()
    mark = attacks.MARK.replace("-", "_")
    known = bob.product.rows(
        "select object_info::text like %(like)s as poisoned from app.environments", like=f"%{mark}%"
    )
    assert [row["poisoned"] for row in known] == [False]


def test_the_stack_is_out_of_reach(bob: Workspace) -> None:
    product = bob.product
    state = product.state
    services = json.loads((state / "services.json").read_text())
    sockets = [Path(text) for text in _sockets(state)]
    assert sockets, services
    files = [path for path in state.rglob("*") if path.is_file()][:2_000]
    pids = [int(path.read_text()) for path in state.glob("*.pid")]
    assert len(pids) == 4, "Postgres, Valkey, the front door, the worker"
    pids += [product.process.pid, os.getpid()]
    assert bob.told(attacks.reading([state, *files], sockets, pids)) == []


def _sockets(state: Path) -> list[str]:
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [line.split()[-1] for line in lines if line.split()[-1].startswith(str(state))]
