"""The steps of `comfyburst run`: read, fill in, submit, follow, download."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from infra.cli.plain import plain
from infra.cli.run.api import TERMINAL, Api, ApiError, Endpoint, Json, open_api
from infra.cli.run.files import IncompleteError, save
from infra.cli.run.follow import Follower, GaveUpError
from infra.cli.run.inputs import Graph, InputError, apply, load_graph
from infra.cli.run.named import is_reference, load_named, values_of
from infra.cli.run.screen import Screen, describe_failure, describe_refusal

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
CANCEL_WAIT_S: Final = 10.0
NOTHING_RUNS: Final = (
    "Nothing runs here. Start it with ./dev in another terminal, or set COMFY_BASE_URL and "
    "COMFY_API_KEY."
)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line said."""

    workflow: str
    """A file, or the name of a workflow that was pushed."""
    inputs: list[str]
    output: Path
    as_json: bool
    state: Path
    strip_metadata: bool = False


def run(options: RunOptions) -> int:
    """Run a workflow; returns the exit code and has said the reason on stderr."""
    console = Console(stderr=True, highlight=False)
    endpoint = Endpoint.find(options.state)
    if endpoint is None:
        _say(console, NOTHING_RUNS)
        return EXIT_FAILED
    try:
        with open_api(endpoint) as api:
            return _run_with(api, console, options)
    except InputError as error:
        _say(console, error)
        return EXIT_USAGE
    except GaveUpError as error:
        _say(console, f"{error}; the job goes on without us")
    except IncompleteError as error:
        _say(console, f"a download ended early: {error}")
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        _say(console, f"{endpoint.base_url} cannot be reached: {reason}")
    except OSError as error:
        _say(console, f"{error.filename or options.output}: {error.strerror}")
    except KeyboardInterrupt:
        _say(console, "stopped while submitting; a job that was taken already goes on")
        return EXIT_INTERRUPTED
    return EXIT_FAILED


def _run_with(api: Api, console: Console, options: RunOptions) -> int:
    bindings: Json | None = None
    if is_reference(options.workflow) and not Path(options.workflow).exists():
        try:
            graph, bindings = load_named(api, options.workflow)
        except ApiError as error:
            _say(console, f"refused: {error.message} ({error.code})")
            return EXIT_FAILED
    else:
        graph = load_graph(Path(options.workflow))
    with Screen(console, graph) as screen:
        return _Run(api, screen, graph, options, bindings).to_the_end()


def _say(console: Console, text: object) -> None:
    console.print(plain(text), markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Run:
    api: Api
    screen: Screen
    graph: Graph
    options: RunOptions
    bindings: Json | None
    """Of a named workflow."""

    def to_the_end(self) -> int:
        try:
            job = self._submit()
        except ApiError as error:
            self.screen.say(describe_refusal(error, self.graph))
            return EXIT_FAILED
        try:
            job = Follower(self.api, self.screen).until_ended(str(job["id"]))
            return self._finish(job)
        except KeyboardInterrupt:
            return self._cancel(str(job["id"]))
        except ApiError as error:
            self.screen.say(f"job {job['id']}: {error.message} ({error.code})")
            return EXIT_FAILED

    def _submit(self) -> Json:
        options = self.options
        inputs = None
        if self.bindings is not None:
            inputs = values_of(self.bindings, options.inputs, self.api.upload)
        else:
            apply(self.graph, options.inputs, self.api.upload)
        options.output.mkdir(parents=True, exist_ok=True)
        workflow = self.graph if self.bindings is None else options.workflow
        return self.api.submit(workflow, inputs=inputs, strip_metadata=options.strip_metadata)

    def _finish(self, job: Json) -> int:
        paths = [self._download(output) for output in job["outputs"]]
        self.screen.close()
        if self.options.as_json:
            sys.stdout.write(json.dumps({**job, "files": [str(path) for path in paths]}) + "\n")
        else:
            sys.stdout.writelines(f"{plain(path)}\n" for path in paths)
        if job["status"] != "succeeded":
            self.screen.say(describe_failure(job, self.graph))
            return EXIT_FAILED
        self.screen.say(_summary(job, len(paths)))
        return 0

    def _download(self, output: Json) -> Path:
        with self.api.content(str(output["id"])) as chunks:
            return save(self.options.output, output["name"], chunks, output["size_bytes"])

    def _cancel(self, job_id: str) -> int:
        """Ctrl-C: the job must not go on unseen."""
        try:
            job = self.api.cancel(job_id)
            if job["status"] not in TERMINAL:
                self.screen.say(f"canceling job {job_id} (Ctrl-C again: do not wait for it)")
                job = self.api.job_when_ended(job_id, CANCEL_WAIT_S)
            self.screen.say(f"job {job_id} is {job['status']}")
        except (ApiError, httpx.HTTPError) as error:
            self.screen.say(f"job {job_id} could not be canceled and goes on: {error}")
        except KeyboardInterrupt:
            self.screen.say(f"job {job_id}: left while it is being canceled")
        return EXIT_INTERRUPTED


def _summary(job: Json, files: int) -> str:
    spent: Json = job.get("metrics") or {}
    took = spent.get("execution_ms")
    seconds = f" in {took / 1000:.1f} s" if isinstance(took, int | float) else ""
    return f"succeeded{seconds}, {files} {'file' if files == 1 else 'files'}"
