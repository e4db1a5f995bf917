"""Who runs as a user, as /proc tells it. Standard library only: `sweep.py` imports it."""

# pathlib knows no descriptors and would cost each start 10 ms:
# ruff: noqa: PTH123, PTH208

import os

_ENDED = ("Z", "X")


def processes_of(uid: int, *, but: int = 0) -> list[int]:
    """The processes that have this user in any of its four places, `but` aside.

    A zombie is none, unless a thread of it goes on.
    """
    # The owner of /proc/PID is root's where a process is not dumpable: `status` says who it is.
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if pid != but and _is_of(pid, uid) and _lives(pid)]


def _is_of(pid: int, uid: int) -> bool:
    return str(uid) in _field(f"/proc/{pid}/status", "Uid:")


def _lives(pid: int) -> bool:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    states = (_field(f"/proc/{pid}/task/{thread}/status", "State:") for thread in threads)
    return any(state and state[0] not in _ENDED for state in states)


def _field(path: str, name: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(name):
                    return line.split()[1:]
    except OSError:
        pass  # it has ended meanwhile
    return []
