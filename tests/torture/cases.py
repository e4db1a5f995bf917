"""The kinds of jobs of a torture run: what each submits, what is done to it, and how it has to end."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from tests.torture import graphs
from tests.torture.graphs import Graph

STALL_S: Final = 30.0
"""What the run sets as the stall timeout: long enough for 400 nodes on a machine that has other work."""
DEADLINE_S: Final = 3_600.0
"""It counts from the first start, and a job that is started again waits behind all others."""
MAX_TEXT_BYTES: Final = 1_000_000
"""Of a text that a node shows (`gpu_functions.comfyui.outputs`)."""


@dataclass(frozen=True)
class Case:
    """One job."""

    graph: Graph
    status: Literal["succeeded", "failed", "canceled", "refused"] = "succeeded"
    code: str | None = None
    tries: int = 1
    pictures: int = 1
    """Plain ones, all of `colour`; at most so many where it does not succeed."""
    size: tuple[int, int] = (graphs.SIDE, graphs.SIDE)
    texts: tuple[str, ...] = ()
    models: int = 0
    cancel: Literal["queued", "running"] | None = None
    cancel_after_s: float = 0.0
    deadline_s: float = DEADLINE_S
    max_tries: int = 3
    logs: str = ""
    """What its log must say."""
    kind: str = ""
    colour: int = 0


Maker = Callable[[random.Random, int], Case]


@dataclass(frozen=True)
class Kind:
    """A kind of job and how many of 1,000 are of it; with a share of 0 only where it is asked for."""

    name: str
    share: float
    make: Maker = field(repr=False)
    restarts: bool = False
    """Each of them costs a start of ComfyUI, 8 s."""


def cases(count: int, seed: int, only: Sequence[str] = ()) -> Iterator[Case]:
    """A mix of about so many jobs, in random order; the last ones calm, so that the end can be looked at.

    Args:
        count: how many
        seed: of what is drawn by lot
        only: kinds by name, in equal shares; none for all of them
    """
    rng = random.Random(seed)  # noqa: S311 - a test that can be repeated
    chosen = [kind for kind in KINDS if kind.name in only]
    drawn = [kind for kind in KINDS for _ in range(_number_of(kind, count, rng))]
    if chosen:
        drawn = chosen * (count // len(chosen))
    plain = next(kind for kind in KINDS if kind.name == "image")
    calm = max(3, count // 100)
    drawn += [plain] * max(0, count - calm - len(drawn))
    rng.shuffle(drawn)
    for number, kind in enumerate([*drawn, *[plain] * calm]):
        colour = (number * 7_919 + 1) & 0xFFFFFF
        made = kind.make(rng, colour)
        yield replace(made, kind=kind.name, colour=made.colour or colour)


def _number_of(kind: Kind, count: int, rng: random.Random) -> int:
    exactly = kind.share * count / 1_000
    if exactly >= 1 or (not kind.restarts and exactly):
        return max(1, round(exactly))
    # A short run has each of the cheap kinds, and of the dear ones every second: by lot.
    return int(exactly > 0 and rng.random() < 0.5)


def _saved(node: str, pictures: int = 1, **inputs: Any) -> Maker:
    def make(_rng: random.Random, colour: int) -> Case:
        return Case(graphs.through(colour, node, **inputs), pictures=pictures)

    return make


def _failing(code: str, node: str, **inputs: Any) -> Maker:
    def make(_rng: random.Random, colour: int) -> Case:
        graph = graphs.through(colour, node, **inputs)
        return Case(graph, "failed", code, pictures=0, max_tries=1)

    return make


def _image(rng: random.Random, colour: int) -> Case:
    side = rng.choice((16, 32, 64))
    return Case(graphs.image(colour, side=side), size=(side, side))


def _steps(rng: random.Random, colour: int) -> Case:
    count, seconds = rng.randint(1, 8), rng.uniform(0.01, 0.08)
    graph = graphs.through(colour, "BurstProbeSteps", steps=count, seconds=seconds, preview=True)
    return Case(graph)


def _again(_rng: random.Random, _colour: int) -> Case:
    graph = graphs.image(graphs.SAME) | {"7": graphs.preview(["1", 0])}
    return Case(graph, pictures=2, colour=graphs.SAME)


def _node_error(rng: random.Random, colour: int) -> Case:
    kind = rng.choice(("ValueError", "KeyError", "RuntimeError", "OSError"))
    inputs: dict[str, Any] = {"kind": kind, "message": f"boom {colour}"}
    node = "BurstProbeError"
    if rng.random() < 0.4:
        node, inputs = "TortureRaise", {"how": rng.choice(("long", "strange", "secret"))}
    return Case(graphs.through(colour, node, **inputs), "failed", "node_error", pictures=0)


def _input(_rng: random.Random, colour: int) -> Case:
    return Case(graphs.laid_on_photo(colour), size=(512, 384))


def _dropped(_rng: random.Random, colour: int) -> Case:
    graph = graphs.image(colour) | graphs.absent_model()
    return Case(graph, logs="Left out by ComfyUI")


def _no_model(_rng: random.Random, _colour: int) -> Case:
    return Case(graphs.absent_model(), "failed", "missing_model", pictures=0)


def _blocked(rng: random.Random, colour: int) -> Case:
    message = rng.choice(("", "not today"))
    blocked: Graph = {
        "8": {"class_type": "ProbeBlocker", "inputs": {"message": message}},
        "9": graphs.save(["8", 0]),
    }
    return Case(graphs.image(colour) | blocked)


def _many(_rng: random.Random, colour: int) -> Case:
    return Case(graphs.image(colour, count=50), pictures=50)


_NAMES: Final = (
    "фото ☃ 图", "<script>alert(1)</script>", "a'b\"c;rm -rf $HOME", " spaced . ", "...", "-rf",
    "CON", "%year%-%width%", "x" * 180, "a|b?c*d:e", "👩‍👩‍👧", "\u202egnp.exe", "a\nb", "a/b/c", "x.png",
)  # fmt: skip
_REFUSED_NAMES: Final = (
    "../x",
    "/etc/x",
    "a/../../x",
    "C:\\x",
    "\\\\host\\x",
    "..\\x",
    "x [output]",
)


def _name(rng: random.Random, colour: int) -> Case:
    return Case(graphs.image(colour, prefix=rng.choice(_NAMES)))


def _refused_name(rng: random.Random, colour: int) -> Case:
    graph = graphs.image(colour, prefix=rng.choice(_REFUSED_NAMES))
    return Case(graph, "refused", "path_not_allowed", tries=0, pictures=0)


def _nan(_rng: random.Random, colour: int) -> Case:
    graph = graphs.image(colour) | {"8": graphs.say(["1", 0], "seen", 1, what="nan")}
    return Case(graph, texts=("seen",))


def _text(times: int) -> Maker:
    def make(rng: random.Random, colour: int) -> Case:
        word = rng.choice("abc")
        graph = graphs.image(colour) | {"8": graphs.say(["1", 0], word, times)}
        return Case(graph, texts=(word * times,))

    return make


def _chain(_rng: random.Random, colour: int) -> Case:
    return Case(graphs.chain(colour, 400))


def _mesh(_rng: random.Random, colour: int) -> Case:
    return Case(graphs.mesh(colour), pictures=0, models=1)


def _leaves(rng: random.Random, colour: int) -> Case:
    what = rng.choice(("thread", "child"))
    return Case(graphs.through(colour, "TortureLeave", what=what))


def _canceled(rng: random.Random, colour: int) -> Case:
    graph = graphs.through(colour, "BurstProbeSteps", steps=20, seconds=0.05, preview=True)
    return Case(graph, cancel="running", cancel_after_s=rng.uniform(0, 1.4))


def _canceled_early(rng: random.Random, colour: int) -> Case:
    return Case(graphs.image(colour), cancel="queued", cancel_after_s=rng.uniform(0, 0.02))


def _cancel_ignored(_rng: random.Random, colour: int) -> Case:
    graph = graphs.through(colour, "BurstProbeHang", seconds=600)
    return Case(graph, "canceled", pictures=0, cancel="running", cancel_after_s=0.5)


def _late(_rng: random.Random, colour: int) -> Case:
    graph = graphs.through(colour, "BurstProbeSteps", steps=600, seconds=0.1, preview=False)
    return Case(graph, "failed", "deadline", pictures=0, deadline_s=1.5)


def _late_hang(_rng: random.Random, colour: int) -> Case:
    graph = graphs.through(colour, "BurstProbeHang", seconds=600)
    return Case(graph, "failed", "deadline", pictures=0, deadline_s=2)


def _crash(rng: random.Random, colour: int) -> Case:
    graph = graphs.through(colour, "BurstProbeCrash", how=rng.choice(("exit", "kill", "segv")))
    return Case(graph, "failed", "comfyui_crashed", pictures=0, max_tries=1)


def _crash_twice(_rng: random.Random, colour: int) -> Case:
    graph = graphs.through(colour, "BurstProbeCrash", how="kill")
    return Case(graph, "failed", "comfyui_crashed", tries=2, pictures=0, max_tries=2)


def _crash_once(_rng: random.Random, colour: int) -> Case:
    return Case(graphs.through(colour, "TortureCrashOnce", name=str(colour)), tries=2)


def _crash_full(_rng: random.Random, colour: int) -> Case:
    """With files of its own in ComfyUI's folders when it dies; whether the output was stored is drawn by lot."""
    crash = {"8": {"class_type": "BurstProbeCrash", "inputs": {"image": ["4", 0], "how": "kill"}}}
    graph = graphs.laid_on_photo(colour) | crash | {"9": graphs.save(["8", 0])}
    return Case(graph, "failed", "comfyui_crashed", size=(512, 384), max_tries=1)


KINDS: Final = (
    Kind("image", 150, _image),
    Kind("steps", 140, _steps),
    Kind("same prompt", 60, _again),
    Kind("node error", 120, _node_error),
    Kind("gpu memory", 30, _failing("gpu_oom", "BurstProbeOutOfMemory")),
    Kind("memory", 30, _failing("out_of_memory", "TortureRaise", how="memory")),
    Kind("no model", 20, _no_model),
    Kind("dropped output", 40, _dropped),
    Kind("blocked output", 40, _blocked),
    Kind("input", 40, _input),
    Kind("50 files", 15, _many),
    Kind("name", 60, _name),
    Kind("refused name", 15, _refused_name),
    Kind("NaN", 30, _nan),
    Kind("text 1.1 MB", 8, _text(1_100_000)),
    Kind("text 9 MB", 4, _text(9_000_000)),
    Kind("400 nodes", 5, _chain),
    Kind("100,000 lines", 8, _saved("TorturePrint", lines=100_000)),
    Kind("leaves a process", 20, _leaves),
    Kind("leaves a session", 0, _saved("TortureLeave", what="session")),
    Kind("model", 15, _mesh),
    Kind("canceled", 80, _canceled),
    Kind("canceled early", 30, _canceled_early),
    Kind("deadline", 6, _late),
    Kind("crash", 4, _crash, restarts=True),
    Kind("crash once", 4, _crash_once, restarts=True),
    Kind("stall", 2, _failing("stalled", "BurstProbeHang", seconds=600), restarts=True),
    Kind("cancel ignored", 3, _cancel_ignored, restarts=True),
    Kind("deadline ignored", 1, _late_hang, restarts=True),
    Kind("crash twice", 1, _crash_twice, restarts=True),
    Kind("crash full", 2, _crash_full, restarts=True),
    Kind("zombie", 1, _failing("stalled", "TortureRaise", how="exit"), restarts=True),
    Kind("unsayable", 1, _failing("stalled", "TortureRaise", how="surrogate"), restarts=True),
    Kind("GPU assert", 1, _failing("node_error", "TortureRaise", how="assert"), restarts=True),
)
