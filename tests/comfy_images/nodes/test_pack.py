"""The pack as a custom-node folder: what it registers, and what the probes do."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comfy_images.nodes.poster import BurstPoster
from comfy_images.nodes.probes import (
    PROBES,
    BurstProbeError,
    BurstProbeHang,
    BurstProbeOutOfMemory,
    BurstProbeSteps,
)
from tests.comfy_images.nodes.conftest import LoadPack

CATALOG = Path(__file__).parents[3] / "comfy_images" / "catalog"


def test_probes_are_hidden_unless_asked_for(
    load_pack: LoadPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMFYBURST_PROBES", raising=False)
    assert list(load_pack().NODE_CLASS_MAPPINGS) == ["BurstPoster"]
    monkeypatch.setenv("COMFYBURST_PROBES", "1")
    assert len(load_pack().NODE_CLASS_MAPPINGS) == 1 + len(PROBES)


def test_the_pack_draws_under_a_foreign_name(load_pack: LoadPack) -> None:
    poster = load_pack().NODE_CLASS_MAPPINGS["BurstPoster"]
    assert not poster.__module__.startswith("comfy_images")
    (image,) = poster().draw(prompt="Tide", seed=3, width=64, height=96)
    assert image.shape == (1, 96, 64, 3)


def test_every_node_has_a_name_for_people_and_a_tooltip_on_every_input(
    load_pack: LoadPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYBURST_PROBES", "1")
    pack = load_pack()
    for name, node in pack.NODE_CLASS_MAPPINGS.items():
        assert pack.NODE_DISPLAY_NAME_MAPPINGS[name]
        assert node.CATEGORY.split("/")[0] == "comfyburst"
        groups: dict[str, dict[str, Any]] = node.INPUT_TYPES()
        for inputs in groups.values():
            for spec in inputs.values():
                assert spec[1]["tooltip"]


def test_the_catalog_names_only_inputs_that_the_node_has() -> None:
    graph = json.loads((CATALOG / "poster.json").read_text())
    assert set(graph["1"]["inputs"]) == set(BurstPoster.INPUT_TYPES()["required"])


def test_probes_always_run_again() -> None:
    assert all(math.isnan(probe.IS_CHANGED(image=None)) for probe in PROBES)


def test_probes_pass_their_image_on() -> None:
    image = np.zeros((1, 8, 8, 3), dtype=np.float32)
    assert BurstProbeHang().run(seconds=0, image=image) == (image,)
    assert BurstProbeSteps().run(steps=2, seconds=0, preview=True, image=image) == (image,)
    (plain,) = BurstProbeHang().run(seconds=0)
    assert isinstance(plain, np.ndarray)


def test_the_error_probe_raises_what_it_was_told() -> None:
    with pytest.raises(KeyError, match="nothing here"):
        BurstProbeError().run(kind="KeyError", message="nothing here")


def test_out_of_memory_without_torch_bears_the_name_of_torchs() -> None:
    with pytest.raises(RuntimeError, match="CUDA out of memory") as caught:
        BurstProbeOutOfMemory().run()
    assert (caught.type.__module__, caught.type.__name__) == ("torch", "OutOfMemoryError")


@pytest.mark.parametrize(("how", "exit_code"), [("exit", 7), ("kill", -9), ("segv", -11)])
def test_the_crash_probe_takes_the_process_down(how: str, exit_code: int) -> None:
    code = f"from comfy_images.nodes.probes import BurstProbeCrash as c; c().run(how={how!r})"
    environment = {**os.environ, "PYTHONFAULTHANDLER": ""}
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment)  # noqa: S603
    assert done.returncode == exit_code
