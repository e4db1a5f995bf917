"""Runs programs that use the TypeScript SDK, and hears what they say: one JSON value a line."""

import fcntl
import hashlib
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from infra.clients.install import Clients

PROGRAMS: Final = Path(__file__).parents[1] / "typescript" / "programs"
LINE_WITHIN_S: Final = 30.0


@dataclass(slots=True)
class Program:
    """One that runs. A value is said at once; the end of its output is the end of its saying."""

    process: subprocess.Popen[str]
    _said: queue.Queue[str | None] = field(default_factory=queue.Queue[str | None])

    def hear(self) -> Any:
        """The next value."""
        line = self._said.get(timeout=LINE_WITHIN_S)
        assert line is not None, "the program ended and said no more"
        return json.loads(line)

    def hear_until(self, kind: str) -> list[dict[str, Any]]:
        """Values up to and with the first of that kind."""
        heard = [self.hear()]
        while heard[-1]["kind"] != kind:
            heard.append(self.hear())
        return heard

    def rest(self) -> list[Any]:
        """What it still says until it ends, which must be well."""
        heard: list[Any] = []
        while (line := self._said.get(timeout=LINE_WITHIN_S)) is not None:
            heard.append(json.loads(line))
        assert self.process.wait(LINE_WITHIN_S) == 0
        return heard

    def listen(self) -> None:
        """Until its output ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(line)
        self._said.put(None)


@dataclass(frozen=True, slots=True)
class Sdk:
    """The compiled programs, and the server and key they are given."""

    clients: Clients
    url: str
    key: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def run(self, name: str, *arguments: str) -> list[Any]:
        """Run a program to its end; everything it said."""
        with self.running(name, *arguments) as program:
            return program.rest()

    @contextmanager
    def running(self, name: str, *arguments: str) -> Generator[Program]:
        """A program under way; it is ended when the block is left early."""
        built = self.clients.package / "built" / f"{name}.js"
        process = subprocess.Popen(  # noqa: S603 - our own program
            [str(self.clients.node), str(built), *arguments],
            env={
                "PATH": os.environ["PATH"],
                "COMFY_BASE_URL": self.url,
                "COMFY_API_KEY": self.key,
                **self.environment,
            },
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        program = Program(process)
        listener = threading.Thread(target=program.listen, daemon=True)
        listener.start()
        try:
            yield program
        finally:
            process.kill()
            process.wait()
            listener.join(10)
            assert process.stdout is not None
            process.stdout.close()


def compile_programs(clients: Clients) -> None:
    """Check them against the SDK's own types and make JavaScript of them, beside the SDK.

    Done once for each state of the programs, also where several test processes ask for it.
    """
    source = clients.package / "programs"
    stamp = clients.package / "compiled.sha256"
    wanted = _digest_of_programs()
    with (clients.package / "compiling").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        stamp.unlink(missing_ok=True)
        for folder in (source, clients.package / "built"):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(PROGRAMS, source)
        tsc = clients.package / "node_modules" / "typescript" / "bin" / "tsc"
        done = subprocess.run(  # noqa: S603 - the installed compiler
            [str(clients.node), str(tsc), "-p", str(source)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        stamp.write_text(wanted)


def _digest_of_programs() -> str:
    digest = hashlib.sha256()
    for path in sorted(PROGRAMS.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
