"""The pack inside the engine: progress reaches it, and an interruption unwinds the node."""

from dataclasses import dataclass, field

import pytest
from PIL import Image

from comfy_images.engine.host import InterruptedExecutionError, hosting
from comfy_images.nodes.poster import BurstPoster
from comfy_images.nodes.probes import BurstProbeSteps


@dataclass
class Host:
    """An engine that interrupts at one step, if any."""

    interrupt_at: int | None = None
    seen: list[tuple[int, int, bool]] = field(default_factory=list[tuple[int, int, bool]])

    def progress(self, value: int, total: int, preview: Image.Image | None = None) -> None:
        self.seen.append((value, total, preview is not None))
        if value == self.interrupt_at:
            raise InterruptedExecutionError

    def progress_text(self, text: str, node_id: str | None = None) -> None:
        """Nothing here shows a text."""

    def check_interrupt(self) -> None:
        """Nothing here asks without reporting."""

    def subgraph_prefix(self) -> str:
        """Nothing here becomes other nodes."""
        return ""


def test_the_poster_counts_up_to_its_total_and_shows_two_to_four_previews() -> None:
    for seed in range(9):
        host = Host()
        with hosting(host):
            BurstPoster().draw("Tide", seed, 96, 128)
        assert 2 <= sum(shown for _, _, shown in host.seen) <= 4
        total = len(host.seen)
        assert [seen[:2] for seen in host.seen] == [(n, total) for n in range(1, total + 1)]


def test_an_interruption_stops_the_poster() -> None:
    host = Host(interrupt_at=2)
    with hosting(host), pytest.raises(InterruptedExecutionError):
        BurstPoster().draw("Tide", 1, 96, 128)
    assert len(host.seen) == 2


def test_the_steps_probe_reports_every_step_and_can_be_interrupted() -> None:
    host = Host(interrupt_at=3)
    with hosting(host), pytest.raises(InterruptedExecutionError):
        BurstProbeSteps().run(steps=5, seconds=0, preview=False)
    assert host.seen == [(1, 5, False), (2, 5, False), (3, 5, False)]
