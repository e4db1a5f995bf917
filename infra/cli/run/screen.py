"""What `comfyburst run` shows: one live line on a terminal, plain lines elsewhere; all on stderr."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from infra.cli.plain import plain, plain_line
from infra.cli.run.api import ApiError, Json
from infra.cli.run.inputs import Graph, title_of

MAX_TITLE: Final = 40


class Screen:
    """Shows one job. Nothing that comes from a server is read as markup or moves the cursor."""

    def __init__(self, console: Console, graph: Graph) -> None:
        self._console = console
        self._graph = graph
        self._status = ""
        self._is_away = False
        self._live = Progress(
            TextColumn("{task.fields[status]:<10}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[nodes]:>7}", markup=False),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._live.add_task("", total=1.0, status="submitted", nodes="")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the live line away, for whoever writes to stdout."""
        self._live.stop()

    def say(self, text: object) -> None:
        """A line that stays, as it is."""
        self._console.print(Text(plain(text)), soft_wrap=True)

    def status(self, status: str, queue_position: int | None) -> None:
        """It changed its state."""
        self._is_away = False
        text = plain_line(status)
        if status == "queued" and queue_position:
            text = f"queued, {queue_position} ahead"
        if text != self._status and not self._console.is_terminal:
            self.say(text)
        self._status = text
        self._live.update(self._task, status=text)

    def progress(self, progress: Json) -> None:
        """It came further."""
        nodes = f"{progress.get('nodes_done', 0)}/{progress.get('nodes_total', '?')}"
        value = float(progress.get("value") or 0.0)
        self._live.update(
            self._task, completed=value, nodes=plain_line(nodes), description=self._doing(progress)
        )

    def output(self, output: Json) -> None:
        """A file was made; it is downloaded at the end."""

    def away(self, reason: str) -> None:
        """The front door does not answer; said once until it does."""
        if not self._is_away:
            self.say(f"the stream broke ({plain_line(reason)}); asking again, the job goes on")
        self._is_away = True

    def _doing(self, progress: Json) -> str:
        node_id = progress.get("current_node")
        if node_id is None:
            return plain_line(progress.get("message") or "")
        # A node inside an expanded one is called "outer:inner".
        outer = str(node_id).split(":", maxsplit=1)[0]
        title = plain_line(title_of(self._graph, outer))[:MAX_TITLE]
        if title == outer and progress.get("current_node_class"):
            title = plain_line(progress["current_node_class"])[:MAX_TITLE]
        steps = f" {progress.get('step')}/{progress['steps']}" if progress.get("steps") else ""
        return f"{title}{plain_line(steps) and ' ' + plain_line(steps)}"


def describe_failure(job: Json, graph: Graph) -> str:
    """Why a job did not succeed, for a person: the node by its title, the sentence, the traceback."""
    raw = job.get("error")
    error = cast("Json", raw) if isinstance(raw, dict) else {}
    lines = [f"{job['status']}: {error.get('message') or 'no reason was given'}"]
    if error.get("code"):
        lines[0] += f" ({error['code']})"
    if error.get("node_id"):
        node_id = str(error["node_id"])
        lines.append(f"  in node {node_id}: {_named(graph, node_id, error.get('class_type'))}")
    if error.get("traceback"):
        lines += [f"    {line}" for line in str(error["traceback"]).rstrip().splitlines()[-12:]]
    return "\n".join(lines)


def describe_refusal(error: ApiError, graph: Graph) -> str:
    """What the front door refused, node by node."""
    lines = [f"refused: {error.message} ({error.code})"]
    lines += [f"  {line}" for line in _problems(error.details.get("errors"))]
    nodes = error.details.get("node_errors")
    if isinstance(nodes, dict):
        for node_id, problems in cast("dict[str, Any]", nodes).items():
            lines.append(f"  node {node_id}: {_named(graph, node_id, None)}")
            lines += [f"    {line}" for line in _problems(problems)]
    return "\n".join(lines)


def _problems(problems: object) -> list[str]:
    """Both shapes there are: v2's list of fields, and ComfyUI's own (facts/comfy-api-v2.md §5)."""
    if isinstance(problems, dict):
        problems = cast("dict[str, Any]", problems).get("errors", [])
    found: list[str] = []
    for problem in cast("list[Any]", problems) if isinstance(problems, list) else []:
        if not isinstance(problem, dict):
            continue
        entry = cast("Mapping[str, Any]", problem)
        sentence = entry.get("message") or entry.get("reason") or "not valid"
        details = entry.get("input") or entry.get("field") or entry.get("details")
        found.append(f"{details}: {sentence}" if details else str(sentence))
    return found


def _named(graph: Graph, node_id: str, class_type: object) -> str:
    title = title_of(graph, node_id.split(":", maxsplit=1)[0])
    kind = class_type or graph.get(node_id, {}).get("class_type") or ""
    return title if title == kind or not kind else f"{title} ({kind})"
