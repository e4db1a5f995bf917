"""COMFY_USER where the kernel gives no view of its own, as in most containers: permissions alone."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from gpu_functions.isolation.confinement import Confinement, sweep, tied
from gpu_functions.isolation.processes import processes_of
from gpu_functions.isolation.user import ComfyUser
from tests.gpu_functions import attacks
from tests.gpu_functions.spying import only_root, spare_uid

ROOT = Path(__file__).parents[2]
SETPRIV = shutil.which("setpriv") or ""
PYTHON = Path("/usr/bin/python3")

without_view = [
    only_root,
    pytest.mark.skipif(not SETPRIV, reason="there is no setpriv to take CAP_SYS_ADMIN away"),
    pytest.mark.timeout(120),
]


def is_open(path: Path) -> bool:
    """Whether everybody may pass through all folders above."""
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)


COMFYUI = """
import http.server, json, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass
    def do_GET(self):
        body = json.dumps({"system": {"comfyui_version": "0"}} if "stats" in self.path else {"A": {}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
found = [name for name in os.listdir("/tmp") if "MARK" in name]
print("FOUND", len(found), os.getresuid()[0], flush=True)
open(f"/tmp/MARK-{os.getpid()}", "w").close()
if os.fork() == 0:
    os.setsid()
    while True:
        import time; time.sleep(1)
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever()
""".replace("MARK", attacks.MARK)

WORKER = """
import asyncio, os, sys
from pathlib import Path
from uuid import UUID
from gpu_functions.comfyui.launch import Launch
from gpu_functions.comfyui.process import OwnedComfyUI
from gpu_functions.isolation.processes import processes_of
from gpu_functions.isolation.user import IsolationError
from gpu_functions.settings import WorkerSettings

async def main(folder, uid, python):
    settings = WorkerSettings(
        state=folder / "state", comfy_user=uid, comfyui_dir=folder / "comfyui", comfyui_python=python
    )
    comfy = OwnedComfyUI(Launch(settings), os.environ, 30, False)
    try:
        for who in (1, 2):
            await comfy.ensure(UUID(int=who))
            print((folder / "state" / "comfyui.log").read_text(), len(processes_of(int(uid))))
    except IsolationError as error:
        print(error)
    finally:
        await comfy.stop()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
"""


@pytest.fixture
def folder() -> Generator[Path]:
    """A fake ComfyUI, and a copy of our code, where everybody may look: a checkout may lie anywhere."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="comfyburst-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "comfyui").mkdir(mode=0o755)
        (folder / "comfyui" / "main.py").write_text(COMFYUI)
        (folder / "comfyui" / "main.py").chmod(0o644)
        for package in ("gpu_functions", "comfy_images"):
            shutil.copytree(ROOT / package, folder / "code" / package)
        for path in (folder / "code").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (folder / "code").chmod(0o755)
        yield folder


async def work(folder: Path, uid: int, python: Path) -> str:
    """What a worker without CAP_SYS_ADMIN says, serving two workspaces in turn."""
    worker = await asyncio.create_subprocess_exec(
        *(SETPRIV, "--bounding-set=-sys_admin", sys.executable, "-c", WORKER),
        *(str(folder), str(uid), str(python)),
        stdout=asyncio.subprocess.PIPE,
        cwd=folder / "code",
    )
    out, _ = await worker.communicate()
    return out.decode()


@pytest.mark.skipif(not PYTHON.exists(), reason="there is no Python that everybody may run")
class TestWithoutAView:
    pytestmark = without_view

    async def test_the_next_workspace_finds_neither_files_nor_processes(self, folder: Path) -> None:
        with spare_uid() as uid:
            said = (await work(folder, uid, PYTHON)).splitlines()
            assert said == [f"FOUND 0 {uid}", " 2", f"FOUND 0 {uid}", " 2"]
            assert owned(uid) == []

    @pytest.mark.parametrize("closed", ["comfyui", "comfyui/models", "comfyui/main.py"])
    async def test_what_all_run_must_not_be_writable(self, folder: Path, closed: str) -> None:
        place = folder / closed
        if not place.exists():
            place.mkdir()
        place.chmod(0o777)
        with spare_uid() as uid:
            said = await work(folder, uid, PYTHON)
        assert f"{place} can be changed by it" in said
        assert "docs/isolation.md" in said

    async def test_what_it_runs_must_be_in_reach(self, folder: Path) -> None:
        (folder / "comfyui").chmod(0o700)
        with spare_uid() as uid:
            said = await work(folder, uid, PYTHON)
        assert "main.py cannot be read by it" in said


@pytest.mark.skipif(is_open(Path(sys.executable)), reason="everybody may run this Python")
class TestWithAClosedPython:
    pytestmark = without_view

    async def test_the_error_names_it(self, folder: Path) -> None:
        with spare_uid() as uid:
            said = await work(folder, uid, Path(sys.executable))
        assert "cannot start ComfyUI's Python" in said
        assert "Permission denied" in said


@only_root
async def test_what_it_left_is_found_and_deleted(tmp_path: Path) -> None:
    script = f"""
        for place in /tmp /var/tmp /dev/shm; do
            mkdir -p $place/{attacks.MARK}-$$/a/b && echo x > $place/{attacks.MARK}-$$/a/b/c
            chmod 000 $place/{attacks.MARK}-$$/a
            ln -s {tmp_path} $place/{attacks.MARK}-$$/link
        done
        ipcmk -Q >/dev/null; ipcmk -M 100 >/dev/null; ipcmk -S 1 >/dev/null
        setsid sh -c 'trap "" TERM HUP; while :; do sleep 600; done' >/dev/null 2>&1 &
        echo left
    """
    kept = tmp_path / "kept"
    kept.write_text("ours")
    with spare_uid() as uid:
        user = ComfyUser(str(uid), uid, uid)
        confinement = Confinement(user, tmp_path, (), private=False)
        child = await asyncio.create_subprocess_exec(
            *tied(confinement), "/bin/sh", "-c", script, stdout=asyncio.subprocess.PIPE, cwd="/"
        )
        assert child.stdout is not None
        assert (await child.stdout.readline()).strip() == b"left"
        await child.wait()
        assert processes_of(uid)
        assert len(owned(uid)) == 6

        await asyncio.to_thread(sweep, user, [], everywhere=True)

        assert owned(uid) == []
        assert processes_of(uid) == []
    assert kept.read_text() == "ours"


def owned(uid: int) -> list[str]:
    """Its files where everybody may write, and its System V objects."""
    places = [Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]  # noqa: S108 - only looked at
    found = [
        str(path) for place in places for path in place.iterdir() if path.lstat().st_uid == uid
    ]
    for kind in ("msg", "sem", "shm"):
        lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
        found += [f"{kind} {line.split()[1]}" for line in lines if str(uid) in line.split()]
    return found
