"""Become another user for good, between fork and exec: no way back, no capability, no dump of memory.

Standard library only: `tether.py` and `sweep.py` import it in a bare interpreter.
"""

# pathlib would cost each start 10 ms:
# ruff: noqa: PTH123

import ctypes
import os
import resource

_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522


def become(uid: int, gid: int) -> None:
    """Run on as that user with that group alone.

    Raises:
        PermissionError: it did not happen in full; nothing may be done then.
    """
    if uid <= 0 or gid <= 0:
        raise PermissionError("not a user to become")
    libc = ctypes.CDLL(None, use_errno=True)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # From root the kernel has taken all of them by now; from a user with some of them it has not.
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())
    # Neither set-user-id programs nor file capabilities give anything back.
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # POSIX message queues outlive their maker, and where /dev/mqueue is not mounted nobody sees them.
    resource.setrlimit(resource.RLIMIT_MSGQUEUE, (0, 0))
    _make_sure(uid, gid)


def _make_sure(uid: int, gid: int) -> None:
    status = dict(line.split(":\t", 1) for line in _status_lines() if ":\t" in line)
    capabilities = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")]
    done = (
        os.getresuid() == (uid, uid, uid)
        and os.getresgid() == (gid, gid, gid)
        and os.getgroups() == []
        and not any(capabilities)
        and status["NoNewPrivs"] == "1"
    )
    if not done:
        raise PermissionError(f"could not become user {uid} in full")


def _status_lines() -> list[str]:
    with open("/proc/self/status", encoding="utf-8") as file:
        return file.read().splitlines()
