"""Two workspaces alternate on one worker under COMFY_USER, and their nodes really try (DESIGN §9)."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest

import comfy_images
import gpu_functions
from gpu_functions.contract import Failed, FailureCode, Succeeded
from gpu_functions.environment import describe
from gpu_functions.isolation.confinement import Confinement, tied
from gpu_functions.isolation.processes import processes_of
from gpu_functions.isolation.user import ComfyUser, IsolationError, claim, comfy_user
from gpu_functions.settings import WorkerSettings
from tests.doubles.front_door import FrontDoorDouble, eventually
from tests.gpu_functions import attacks
from tests.gpu_functions.engine import image, saved
from tests.gpu_functions.spying import ALICE, BOB, SPY, Stage, only_root, spare_uid, stage

DATA = Path(__file__).with_name("data")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(180)

OWNER = """
import asyncio, os, sys
from pathlib import Path
from gpu_functions.comfyui.launch import Launch
from gpu_functions.comfyui.process import OwnedComfyUI
from gpu_functions.settings import WorkerSettings

async def main():
    settings = WorkerSettings(state=Path(sys.argv[1]), comfy_user=sys.argv[2])
    comfy = OwnedComfyUI(Launch(settings), os.environ, 60, False)
    await comfy.ensure(None)
    sys.stdout.write(f"{comfy.child.pid}\\n")
    sys.stdout.flush()
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
async def door() -> AsyncGenerator[FrontDoorDouble, None]:
    async with FrontDoorDouble().serving() as double:
        yield double


@pytest.fixture(scope="module")
async def turns(
    tmp_path_factory: pytest.TempPathFactory, door: FrontDoorDouble
) -> AsyncGenerator[Stage, None]:
    async with stage(tmp_path_factory.mktemp("isolation") / "state", door) as started:
        yield started


# --- rights ---------------------------------------------------------------------------------------


@only_root
async def test_nodes_run_as_the_user_and_have_no_way_back(turns: Stage) -> None:
    me = await turns.told(ALICE, attacks.WHO_AM_I)
    assert me["uids"] == [turns.uid] * 3
    assert me["gids"] == [turns.uid] * 3
    assert me["groups"] == []
    assert int(me["capabilities"], 16) == 0
    assert me["no_new_privs"] == "1"
    assert me["core"] == [0, 0]
    assert not [name for name in me["environ"] if "TOKEN" in name or "SECRET" in name]
    folder = str(turns.bench.state)
    assert me["environ"]["HOME"] == f"{folder}/home"
    assert me["environ"]["TMPDIR"] == f"{folder}/tmp"  # noqa: S108 - ours
    assert not [path for path in me["files"] if path.endswith((".log", ".sock"))]


@only_root
async def test_what_other_processes_run_cannot_be_changed(turns: Stage) -> None:
    state = turns.bench.state
    ours = [Path(module.__path__[0]) for module in (gpu_functions, comfy_images)]
    site = [Path(path) for path in sys.path if path.endswith("site-packages")]
    places = [state, state / "custom_nodes", SPY, *ours, *site, Path(sys.prefix)]
    assert await turns.told(ALICE, attacks.changing(places)) == []


@only_root
async def test_secrets_of_the_worker_and_of_the_stack_are_out_of_reach(
    turns: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    private = tmp_path_factory.mktemp("dev")
    key, listening = private / "api_key", private / "s"
    key.write_text("canary")
    private.chmod(0o700)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(listening))
        server.listen()
        paths = [key, turns.bench.state / "comfyui.log", Path("/etc/shadow")]
        code = attacks.reading(paths, [listening], [os.getpid(), 1])
        assert await turns.told(ALICE, code) == []


# --- one workspace after the other ----------------------------------------------------------------


@only_root
async def test_nothing_of_one_workspace_is_found_by_the_next(turns: Stage) -> None:
    photo = (DATA / "photo.png").read_bytes()
    name = f"{attacks.MARK}.png"
    graph = image() | {
        "3": {"class_type": "LoadImage", "inputs": {"image": name}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": name}},
    }
    brought = await turns.run(ALICE, graph, **{name: photo})
    assert isinstance(brought.terminal, Succeeded)
    places = brought.registered.values()
    assert any(place.thumbnail_of for place in places), "what opens outputs runs as the user, too"
    left = await turns.told(ALICE, attacks.LEAVE_EVERYWHERE)
    assert len(left) >= 7, left

    seen = await turns.told(BOB, attacks.LOOK_EVERYWHERE)

    assert seen["found"] == []
    assert seen["said"] == []
    assert all("404" in text for text in seen["views"])
    assert seen["history"] == 0
    assert seen["ipc"] == [-1, -1]
    assert turns.owned == []


@only_root
async def test_every_process_of_the_user_is_dead_before_the_next_workspace(turns: Stage) -> None:
    sleeper, _ = await turns.told(ALICE, attacks.DAEMONS)
    assert sleeper in processes_of(turns.uid)

    await turns.told(BOB, "result = 1")

    family = {turns.bench.pid, *(c.pid for c in psutil.Process(turns.bench.pid).children())}
    others = {psutil.Process(pid).ppid() for pid in processes_of(turns.uid)} - family
    assert others <= {os.getpid()}, "a process of the user is no child of the new ComfyUI"
    assert sleeper not in processes_of(turns.uid)


@only_root
async def test_a_process_that_kills_all_of_its_user_does_not_outlive_its_workspace(
    turns: Stage,
) -> None:
    await turns.told(ALICE, attacks.KILLER)
    comfyui = turns.bench.pid
    await eventually(lambda: comfyui not in processes_of(turns.uid))
    assert len(processes_of(turns.uid)) == 1
    # ComfyUI itself died of it: the next job of whomever starts another.
    assert await turns.told(BOB, "result = 1") == 1
    assert turns.bench.pid in processes_of(turns.uid)


@only_root
async def test_a_result_is_cached_for_its_own_workspace_alone(turns: Stage) -> None:
    first = await turns.told_once(ALICE, "same")
    assert await turns.told_once(ALICE, "same") == first
    assert await turns.told_once(BOB, "same") != first


@only_root
async def test_pictures_carry_the_graph_of_their_own_job_alone(turns: Stage) -> None:
    await turns.run(ALICE, saved("BurstPoster", prompt=attacks.MARK))
    job = await turns.run(BOB, image())
    (picture, *_) = turns.front_door.output_bytes(job)
    assert b"EmptyImage" in picture
    assert attacks.MARK.encode() not in picture


# --- what others are told of the nodes ------------------------------------------------------------


@only_root
async def test_a_node_cannot_change_what_is_registered_for_everybody(turns: Stage) -> None:
    await turns.told(BOB, "result = 1")
    before = await describe(await turns.bench.comfy.ensure(BOB))
    await turns.told(BOB, attacks.POISON)
    running = await turns.bench.comfy.ensure(None)
    assert attacks.MARK.replace("-", "_") in str(await running.client.object_info())
    assert (await describe(running)).digest == before.digest


@only_root
async def test_a_crash_leaves_no_file_name_in_what_is_registered(turns: Stage) -> None:
    name = f"{attacks.MARK}.png"
    crash = saved("BurstProbeCrash", how="segv")
    job = await turns.run(ALICE, crash, **{name: (DATA / "photo.png").read_bytes()})
    assert isinstance(job.terminal, Failed)
    assert job.terminal.failure.code is FailureCode.COMFYUI_CRASHED
    running = await turns.bench.comfy.ensure(None)
    assert attacks.MARK not in str((await describe(running)).registration.object_info)


# --- what the worker reads and deletes ------------------------------------------------------------


@only_root
@pytest.mark.parametrize(
    "code",
    [
        "os.symlink('/etc/shadow', 'x.png')",
        "os.mkfifo('x.png')",
        "os.mkdir('x.png')",
        "open('y', 'w').write('y'); os.link('y', 'x.png')",
    ],
)
async def test_an_output_that_is_no_plain_file_is_not_read(turns: Stage, code: str) -> None:
    folder = turns.bench.state / "output"
    code = f"import os, shutil; os.chdir({str(folder)!r}); {code}"
    job = await turns.run(
        ALICE, {"1": {"class_type": "SpyFile", "inputs": {"code": code, "name": "x.png"}}}
    )
    assert isinstance(job.terminal, Failed)
    assert job.terminal.failure.code is FailureCode.OUTPUT_UPLOAD
    assert turns.front_door.output_bytes(job) == []
    await turns.told(BOB, "result = 1")
    assert names_in(folder) == []


@only_root
async def test_links_of_a_node_lead_no_deletion_astray(turns: Stage, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o777)
    kept.chmod(0o777)
    (kept / "file").write_text("ours")
    folder = turns.bench.state / "output"
    code = f"import os; os.symlink({str(kept)!r}, {str(folder / 'link')!r}); result = 1"
    await turns.told(ALICE, code)
    await turns.told(BOB, "result = 1")
    assert (kept / "file").read_text() == "ours"
    assert names_in(folder) == []


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


# --- who may be COMFY_USER ------------------------------------------------------------------------


@only_root
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no-such-user", "there is no such user.*useradd"),
        ("root", "can read everything"),
        ("0", "can read everything"),
        ("nobody", "the embedded Postgres"),
        ("65534", "the embedded Postgres"),
        ("4294967295", "is no uid"),
    ],
)
def test_a_user_that_separates_nothing_is_refused_with_a_remedy(text: str, says: str) -> None:
    with pytest.raises(IsolationError, match=says):
        comfy_user(text)


@only_root
def test_a_number_needs_no_entry() -> None:
    assert comfy_user("64999") == ComfyUser("64999", 64999, 64999)


def test_a_comfyui_that_runs_already_cannot_be_confined() -> None:
    with pytest.raises(ValueError, match="not ours to restart"):
        WorkerSettings(comfy_user="comfy", comfyui_url="http://127.0.0.1:8188")


@only_root
def test_without_the_right_to_become_it_the_error_says_so() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setresuid(64_998, 64_998, 64_998)
        try:
            comfy_user("64999")
        except IsolationError as error:
            os.write(writing, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    assert "lacks CAP_CHOWN" in said
    assert "Start as root" in said


@only_root
async def test_a_user_is_one_workers_alone(turns: Stage) -> None:
    with pytest.raises(IsolationError, match="Another worker of this machine"):
        claim(ComfyUser(str(turns.uid), turns.uid, turns.uid))


@only_root
async def test_a_user_that_something_else_runs_as_is_refused(tmp_path: Path) -> None:
    with spare_uid() as uid:
        user = ComfyUser(str(uid), uid, uid)
        stranger = await asyncio.create_subprocess_exec(
            *tied(Confinement(user, tmp_path, (), private=False)), "/bin/sleep", "60"
        )
        await eventually(lambda: processes_of(uid) == [stranger.pid])
        try:
            with pytest.raises(IsolationError, match=rf"sleep, pid {stranger.pid}"):
                claim(user)
        finally:
            stranger.kill()
            await stranger.wait()
        claim(user).release()


@only_root
async def test_a_child_of_another_user_dies_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    with spare_uid() as uid:
        owner = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", OWNER, str(tmp_path / "state"), str(uid)),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        assert owner.stdout is not None
        pid = int(await owner.stdout.readline())
        assert processes_of(uid) == [pid]
        owner.kill()
        await owner.wait()
        await eventually(lambda: processes_of(uid) == [])
