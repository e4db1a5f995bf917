"""What a hostile node tries, as Python for `Spy` (data/spy/spy.py); each leaves its finds in `result`."""

import json
from collections.abc import Sequence
from pathlib import Path

MARK = "alice-was-here"

WHO_AM_I = """
import os, resource
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
files = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{n}")]
result = {
    "uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups(),
    "capabilities": status["CapEff"] + status["CapPrm"] + status["CapAmb"] + status["CapInh"],
    "no_new_privs": status["NoNewPrivs"], "core": resource.getrlimit(resource.RLIMIT_CORE),
    "files": files, "environ": dict(os.environ),
}
"""

DAEMONS = """
import ctypes, os, signal, time
def daemon(work):
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return int(os.read(reading, 20))
    os.setsid()
    if os.fork():
        os._exit(0)
    ctypes.CDLL(None).prctl(1, 0)
    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_IGN)
    os.write(writing, str(os.getpid()).encode())
    while True:
        work()
def sleep():
    time.sleep(0.05)
def run_away():  # another process each time: no list of processes is ever true
    time.sleep(0.001)
    if os.fork():
        os._exit(0)
result = [daemon(sleep), daemon(run_away)]
"""

KILLER = """
import os, signal, time
ours = os.getpid()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(0.5)  # the answer of this job gets out
        while True:
            try:
                os.kill(-1, signal.SIGKILL)
            except OSError:
                pass
    os._exit(0)
result = "started"
"""

LEAVE_EVERYWHERE = """
import ctypes, os, sys
base = sys.argv[sys.argv.index("--base-directory") + 1]
places = [os.environ["HOME"], os.environ["TMPDIR"], "/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/dev/mqueue"]
places += [os.path.join(base, name) for name in ("input", "output", "temp", "user")]
result = []
for place in places:
    try:
        folder = os.path.join(place, "MARK-folder", "inner")
        os.makedirs(folder, exist_ok=True)
        for path in (os.path.join(place, "MARK.png"), os.path.join(folder, "MARK.png")):
            open(path, "w").write("MARK")
        os.chmod(folder, 0)
        os.chmod(os.path.dirname(folder), 0)
        result.append(place)
    except OSError as error:
        pass
deep = os.path.join(base, "output")
os.chdir(deep)
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
os.chdir(base)
libc = ctypes.CDLL(None)
memory = libc.shmget(0x616C6963, 4096, 0o1600)
queue = libc.msgget(0x616C6963, 0o1600)
result.append([memory, queue])
""".replace("MARK", MARK)

LOOK_EVERYWHERE = """
import ctypes, glob, json, os, sys, urllib.request
mark = "MARK"[::-1]  # not in the text of this job, which is in the queue
base = sys.argv[sys.argv.index("--base-directory") + 1]
port = sys.argv[sys.argv.index("--port") + 1]
places = [os.environ["HOME"], os.environ["TMPDIR"], "/tmp", "/var/tmp", "/dev/shm", "/run/lock", base]
found = []
for place in places:
    for folder, folders, names in os.walk(place):
        found += [os.path.join(folder, n) for n in folders + names if mark in n or n == "d"]
def ask(path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            return reply.read().decode(errors="replace")
    except OSError as error:
        return str(error)
paths = ["/history", "/queue", "/object_info", "/internal/logs", "/internal/logs/raw", "/api/jobs"]
paths += [f"/view?filename={mark}.png&type={kind}" for kind in ("input", "output", "temp")]
said = {path: ask(path) for path in paths}
libc = ctypes.CDLL(None)
result = {
    "found": found,
    "said": [path for path, text in said.items() if mark in text],
    "views": [text for path, text in said.items() if path.startswith("/view")],
    "history": len(json.loads(said["/history"])),
    "ipc": [libc.shmget(0x616C6963, 0, 0), libc.msgget(0x616C6963, 0)],
    "modules": [name for name in sys.modules if mark in name],
}
""".replace("MARK", MARK[::-1])

POISON = """
import builtins, sys
spy = next(m for m in list(sys.modules.values()) if "SpyOnce" in getattr(m, "__dict__", {}))
spy.Spy.CATEGORY = "MARK"
builtins.MARK_PATCH = True
result = "patched"
""".replace("MARK", MARK.replace("-", "_"))


def changing(paths: Sequence[Path]) -> str:
    """Plant a file in each, and overwrite what is there; `result` holds what could be done."""
    return f"""
import os
result = []
for place in {json.dumps([str(path) for path in paths])}:
    tries = [os.path.join(place, "planted.py")] if os.path.isdir(place) else [place]
    for path in tries:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
            result.append(path)
        except OSError:
            pass
    try:
        os.rename(place, place + "-moved")
        result.append(place + " renamed")
    except OSError:
        pass
"""


def reading(paths: Sequence[Path], sockets: Sequence[Path], pids: Sequence[int]) -> str:
    """Open files, connect to sockets, look into processes; `result` holds what answered."""
    return f"""
import ctypes, os, socket
result = []
def attempt(what, action):
    try:
        if action() not in (None, -1):
            result.append(what)
    except OSError:
        pass
paths = {json.dumps([str(path) for path in paths])}
for pid in {json.dumps(list(pids))}:
    paths += [f"/proc/{{pid}}/{{name}}" for name in ("environ", "mem", "maps", "cwd/x", "root/etc/passwd")]
    attempt(f"fds of {{pid}}", lambda: os.listdir(f"/proc/{{pid}}/fd"))
    attempt(f"ptrace {{pid}}", lambda: ctypes.CDLL(None).ptrace(16, pid, 0, 0))
for path in paths:
    attempt(path, lambda: open(path, "rb").read(1) and None or path)
for path in {json.dumps([str(path) for path in sockets])}:
    attempt(path, lambda: socket.socket(socket.AF_UNIX).connect(path) or path)
"""
