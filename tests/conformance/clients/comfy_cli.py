"""`comfy deploy run` led to a front door of ours, without root and without a line in /etc/hosts.

It speaks to `https://<deployment id><suffix>` on port 443 alone. Its HTTPS_PROXY is a proxy of ours
that knows this one name and leads it to a port that speaks TLS; the rest of the internet it refuses.
"""

import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.conformance.clients.authority import make_identity
from tests.conformance.clients.control_plane import ControlPlane
from tests.conformance.clients.front import Front, fronting
from tests.conformance.clients.installed import CLIENTS
from tests.conformance.clients.relay import Tunnel, listening
from tests.conformance.clients.served import served

DEPLOYMENT: Final = "dep-1"
SUFFIX: Final = ".dep.test"
ORIGIN: Final = f"https://{DEPLOYMENT}{SUFFIX}"
RUN_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    code: int
    envelope: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """What it gave."""
        assert self.envelope["ok"], self.envelope
        return self.envelope["data"]

    @property
    def error(self) -> dict[str, Any]:
        """Why it failed."""
        assert not self.envelope["ok"], self.envelope
        return self.envelope["error"]


@dataclass(frozen=True, slots=True)
class Cli:
    """A user of the command, in a folder of their own."""

    folder: Path
    front: Front
    control_plane: ControlPlane
    tunnel: Tunnel
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    @property
    def outputs(self) -> Path:
        """Where it puts what it downloads."""
        return self.folder / "outputs"

    def run(self, graph: dict[str, Any], *options: str, **environment: str) -> Ran:
        """`comfy deploy run`, to its end."""
        return self.ended(self.start(graph, *options, **environment))

    def start(
        self, graph: dict[str, Any], *options: str, **environment: str
    ) -> subprocess.Popen[str]:
        """The same, under way."""
        workflow = self.folder / "workflow.json"
        workflow.write_text(json.dumps(graph))
        process = subprocess.Popen(  # noqa: S603 - the installed command
            [
                *(str(CLIENTS.comfy), "--json", "deploy", "run", "--deployment", DEPLOYMENT),
                *("--workflow", str(workflow), "--asset-root", str(self.folder / "input")),
                *("--output-dir", str(self.outputs), *options),
            ],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def ended(self, process: subprocess.Popen[str]) -> Ran:
        """What came of it."""
        said, complained = process.communicate(timeout=RUN_WITHIN_S)
        assert said, complained
        return Ran(process.returncode, json.loads(said.splitlines()[-1]))


@contextmanager
def deployed(folder: Path, target: str, key: str) -> Generator[Cli]:
    """A deployment whose endpoint is the front door at `target`, which has PUBLIC_URL=ORIGIN."""
    for name in ("home", "input"):
        (folder / name).mkdir(parents=True)
    identity = make_identity(folder, f"{DEPLOYMENT}{SUFFIX}")
    control_plane = ControlPlane(DEPLOYMENT, ORIGIN)
    with fronting(target, identity=identity) as front, served(control_plane.app()) as control_port:
        tunnel = Tunnel({f"{DEPLOYMENT}{SUFFIX}:443": int(front.url.rsplit(":", 1)[1])})
        with listening(tunnel) as proxy_port:
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(folder / "home"),
                "DO_NOT_TRACK": "1",
                "COMFY_CLOUD_API_KEY": key,
                "COMFY_API_KEY": "partner-key",
                "COMFY_DEPLOY_URL": f"http://127.0.0.1:{control_port}",
                "COMFY_DEPLOY_HOST_SUFFIXES": SUFFIX,
                "HTTPS_PROXY": f"http://127.0.0.1:{proxy_port}",
                "SSL_CERT_FILE": str(identity.authority),
            }
            cli = Cli(folder, front, control_plane, tunnel, environment)
            try:
                yield cli
            finally:
                for process in cli.started:
                    process.kill()
                    process.communicate()
            assert not tunnel.refused, "it wanted to speak to somebody else"
