"""The same on a real ComfyUI, whose nodes are nobody's in particular; two switches.

COMFYBURST_TEST_COMFYUI names the folder that `infra/comfyui` installs.
"""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gpu_functions.contract import Succeeded
from gpu_functions.environment import describe
from gpu_functions.isolation.processes import processes_of
from tests.doubles.front_door import FrontDoorDouble
from tests.gpu_functions import attacks
from tests.gpu_functions.engine import image
from tests.gpu_functions.spying import ALICE, BOB, SPY, Stage, only_root, stage

INSTALLED = Path(os.environ.get("COMFYBURST_TEST_COMFYUI", ""))
PHOTO = Path(__file__).with_name("data") / "photo.png"

pytestmark = [
    pytest.mark.comfyui,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        "COMFYBURST_TEST_COMFYUI" not in os.environ,
        reason="COMFYBURST_TEST_COMFYUI names no ComfyUI",
    ),
    only_root,
]


@pytest.fixture(scope="module")
async def turns(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage, None]:
    state = tmp_path_factory.mktemp("isolation-comfyui") / "state"
    async with FrontDoorDouble(deadline_s=200).serving() as door:
        comfyui = stage(
            state,
            door,
            comfyui_dir=INSTALLED / "comfyui",
            comfyui_python=INSTALLED / "venv" / "bin" / "python",
            comfyui_args=("--cpu", "--disable-api-nodes"),
        )
        async with comfyui as started:
            yield started


async def test_alice_leaves_what_she_can_and_bob_finds_nothing(turns: Stage) -> None:
    name = f"{attacks.MARK}.png"
    graph = image() | {
        "3": {"class_type": "LoadImage", "inputs": {"image": name}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": name}},
    }
    registered = (await describe(await turns.bench.comfy.ensure(ALICE))).digest
    brought = await turns.run(ALICE, graph, **{name: PHOTO.read_bytes()})
    assert isinstance(brought.terminal, Succeeded)
    assert (await turns.told(ALICE, attacks.WHO_AM_I))["uids"] == [turns.uid] * 3
    first = await turns.told_once(ALICE, "same")
    assert await turns.told_once(ALICE, "same") == first
    site = [INSTALLED / "venv" / "lib" / "python3.11" / "site-packages", SPY]
    comfyui = [INSTALLED / "comfyui" / name for name in ("", "models", "custom_nodes", "main.py")]
    packs = [turns.bench.state, turns.bench.state / "custom_nodes"]
    assert await turns.told(ALICE, attacks.changing([*site, *comfyui, *packs])) == []
    code = attacks.reading([turns.bench.state / "comfyui.log"], [], [os.getpid(), 1])
    assert await turns.told(ALICE, code) == []
    await turns.told(ALICE, attacks.POISON)
    assert len(await turns.told(ALICE, attacks.LEAVE_EVERYWHERE)) >= 7
    daemons = await turns.told(ALICE, attacks.DAEMONS)

    seen = await turns.told(BOB, attacks.LOOK_EVERYWHERE)

    assert seen["found"] == []
    assert seen["said"] == []
    assert all("404" in text for text in seen["views"])
    assert seen["history"] == 0
    assert seen["ipc"] == [-1, -1]
    assert not set(daemons) & set(processes_of(turns.uid))
    assert turns.owned == []
    assert await turns.told_once(BOB, "same") != first
    assert (await describe(await turns.bench.comfy.ensure(None))).digest == registered


async def test_alice_comes_back_to_nothing_as_well(turns: Stage) -> None:
    seen = await turns.told(ALICE, attacks.LOOK_EVERYWHERE)
    assert seen["found"] == []
    assert seen["history"] == 0
    job = await turns.run(ALICE, image())
    assert isinstance(job.terminal, Succeeded)
