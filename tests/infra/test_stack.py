"""The supervisor on small programs."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import psutil
import pytest

from infra.local.service import Service
from infra.local.stack import DEATHS, Stack, StackError

WAITS = "import signal; signal.pause()"
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
HAS_A_CHILD = (
    "import subprocess, sys; "
    "print(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']).pid, "
    f"flush=True); {WAITS}"
)


def service(
    state: Path, code: str, name: str = "small", *, first: str = "", **more: object
) -> Service:
    """A Python program that is ready once it has made a file; `first` comes before that."""
    ready_file = state / f"{name}.ready"
    source = f"{first}\nopen({str(ready_file)!r}, 'a').write('started\\n'); {code}"

    async def ready() -> bool:
        return ready_file.exists()

    return Service(name, [sys.executable, "-c", source], ready, dict(os.environ), **more)  # type: ignore[arg-type]


@pytest.fixture
async def stack(state: Path) -> AsyncGenerator[Stack]:
    stack = Stack(state)
    yield stack
    await stack.stop()


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pid_of(stack: Stack, name: str = "small") -> int:
    return int((stack.state / f"{name}.pid").read_text())


def starts(stack: Stack, name: str = "small") -> int:
    return (stack.state / f"{name}.ready").read_text().count("started")


async def eventually(holds: Callable[[], object], *, within_s: float = 10.0) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until
        await asyncio.sleep(0.02)


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def test_a_service_is_up_once_it_is_ready(stack: Stack) -> None:
    await stack.start([service(stack.state, WAITS)])
    assert psutil.pid_exists(pid_of(stack))


async def test_one_that_ends_before_it_is_ready_is_told_with_its_last_words(stack: Stack) -> None:
    dies = Service(
        "small",
        [sys.executable, "-c", "print('no such disk'); raise SystemExit(7)"],
        no,
        dict(os.environ),
    )
    with pytest.raises(StackError, match=r"ended \(7\) before it was ready:\n  no such disk"):
        await stack.start([dies])


async def test_of_two_that_fail_together_one_is_told(stack: Stack) -> None:
    both = [
        Service(name, [sys.executable, "-c", "raise SystemExit(7)"], no, dict(os.environ))
        for name in ("first", "second")
    ]
    with pytest.raises(StackError, match="before it was ready"):
        await stack.start(both)


async def test_one_that_is_never_ready_is_given_up(stack: Stack) -> None:
    never = Service(
        "small",
        [sys.executable, "-c", WAITS],
        no,
        dict(os.environ),
        ready_timeout_s=0.2,
    )
    with pytest.raises(StackError, match="not ready after"):
        await stack.start([never])


async def test_a_program_that_does_not_exist_is_named(stack: Stack) -> None:
    missing = Service("small", ["/no/such/program"], yes, {})
    with pytest.raises(StackError, match="small cannot be started"):
        await stack.start([missing])


async def test_a_killed_service_comes_back(stack: Stack) -> None:
    await stack.start([service(stack.state, WAITS)])
    first = pid_of(stack)
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: starts(stack) == 2 and pid_of(stack) != first)


async def test_what_a_killed_service_started_ends_with_it(stack: Stack) -> None:
    await stack.start([service(stack.state, HAS_A_CHILD)])
    log = stack.state / "logs" / "small.log"
    await eventually(lambda: log.exists() and log.read_text())
    child = int(log.read_text())
    os.kill(pid_of(stack), signal.SIGKILL)
    await eventually(lambda: not is_alive(child))


async def test_an_essential_service_that_keeps_dying_ends_the_stack(stack: Stack) -> None:
    await stack.start([service(stack.state, "import time; time.sleep(0.2)")])
    await asyncio.wait_for(stack.stopping.wait(), 20)
    assert stack.failure == f"small ended {DEATHS} times in a minute"


async def test_another_one_is_only_started_more_slowly(stack: Stack) -> None:
    await stack.start([service(stack.state, "import time; time.sleep(0.2)", is_essential=False)])
    await eventually(lambda: starts(stack) > DEATHS, within_s=30)
    assert not stack.stopping.is_set()


async def test_stop_is_orderly_and_the_last_started_goes_first(stack: Stack) -> None:
    says_when = (
        "import signal, sys, time; "
        "signal.signal(signal.SIGTERM, lambda *_: (print(time.time(), flush=True), sys.exit(0)))"
    )
    for name in ("first", "second"):
        await stack.start([service(stack.state, WAITS, name, first=says_when)])
    await stack.stop()
    ended = [float((stack.state / "logs" / f"{n}.log").read_text()) for n in ("second", "first")]
    assert ended == sorted(ended)
    assert not list(stack.state.glob("*.pid"))


async def test_one_that_does_not_stop_is_killed(stack: Stack) -> None:
    await stack.start([service(stack.state, WAITS, first=IGNORES_SIGTERM, stop_timeout_s=0.3)])
    pid = pid_of(stack)
    await stack.stop()
    assert not psutil.pid_exists(pid)


async def test_kill_ends_all_at_once(stack: Stack) -> None:
    await stack.start([service(stack.state, WAITS, first=IGNORES_SIGTERM)])
    stopping = asyncio.create_task(stack.stop())
    await asyncio.sleep(0.1)
    stack.kill()
    await asyncio.wait_for(stopping, 3)


async def test_an_endless_line_does_not_stop_the_service(stack: Stack) -> None:
    endless = f"print('x' * 3_000_000, flush=True); print('end', flush=True); {WAITS}"
    await stack.start([service(stack.state, endless)])
    log = stack.state / "logs" / "small.log"
    await eventually(lambda: log.exists() and log.read_text().endswith("end\n"))


async def test_logs_are_for_their_owner(stack: Stack) -> None:
    before = os.umask(0)
    try:
        await stack.start([service(stack.state, WAITS)])
    finally:
        os.umask(before)
    assert (stack.state / "logs").stat().st_mode & 0o777 == 0o700
