"""Run a command that dies with its parent: `python -I -S tether.py PARENT_PID CONFINEMENT COMMAND...`.

A script of its own, since this belongs between fork and exec, where a process with threads must not
run Python (`preexec_fn` can deadlock). CONFINEMENT is `-`, or JSON of what `Confinement` holds.
"""

# pathlib would cost each start 10 ms:
# ruff: noqa: PTH100, PTH120

import ctypes
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Tie this process to its parent and become the command."""
    parent, confinement, *command = sys.argv[1:]
    if confinement != "-":
        _confine(confinement)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        # After the change of user, which clears it.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Daemons it leaves stay its children, where they can be found and ended with it (strays.py).
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != int(parent):
        sys.exit("the parent is gone already")
    try:
        os.execv(command[0], command)  # noqa: S606 - the worker wrote this command line
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


def _confine(text: str) -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.dirname(os.path.dirname(here)))
    from gpu_functions.isolation import view
    from gpu_functions.isolation.become import become

    told = json.loads(text)
    uid, gid = told["uid"], told["gid"]
    if told["private"]:
        view.enter(told["state"], told["needed"], uid, gid)
    become(uid, gid)


if __name__ == "__main__":
    main()
