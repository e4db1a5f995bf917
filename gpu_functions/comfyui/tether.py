"""Run a command that dies with its parent: `python -I -S tether.py PARENT_PID COMMAND...`.

A script of its own, since PR_SET_PDEATHSIG belongs between fork and exec, where a process with
threads must not run Python (`preexec_fn` can deadlock).
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone already")
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the worker wrote this command line


if __name__ == "__main__":
    main()
