"""What `/docs` tells people to type is typed here."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.openapi.document import introduction
from app.openapi.samples import SAMPLES, Sample
from tests.running import Running, clean_environment, running

ROOT = Path(__file__).parents[3]
UNENDING = {"getEvents"}
PHOTO = b"bytes of a photo"


@pytest.mark.stack
def test_every_sample_runs(tmp_path: Path) -> None:
    with running(tmp_path / "state") as stack:
        job = json.loads(typed(SAMPLES["postJobs"][0], stack, tmp_path / "first"))
        asset = json.loads(typed(SAMPLES["postAssets"][0], stack, tmp_path / "first"))
        ids = {"JOB_ID": job["id"], "ASSET_ID": asset["id"]}
        for name, samples in SAMPLES.items():
            for number, sample in enumerate(samples):
                said = typed(
                    sample, stack, tmp_path / f"{name}{number}", ids, ends=name not in UNENDING
                )
                assert '"error":{' not in said, name
        resumed = tmp_path / "getAssetContent0" / "photo.png"
        assert resumed.read_bytes() == PHOTO
        assert list((tmp_path / "postJobs1").glob("poster*.png"))


@pytest.mark.stack
def test_the_first_call_makes_a_picture(tmp_path: Path) -> None:
    blocks = dict(re.findall(r"```(sh|python)\n(.*?)```", introduction(), re.DOTALL))
    call = blocks["sh"][blocks["sh"].index("curl") :]
    with running(tmp_path / "state") as stack:
        job = json.loads(typed(Sample("Shell", call), stack, tmp_path / "sh"))
        assert job["status"] == "succeeded"
        typed(Sample("Python", blocks["python"]), stack, tmp_path / "python")
    assert list((tmp_path / "python").glob("poster*.png"))


def typed(
    sample: Sample,
    stack: Running,
    folder: Path,
    ids: dict[str, str] | None = None,
    *,
    ends: bool = True,
) -> str:
    """Run it in a folder that has the catalog and the begin of a photo; returns what it printed."""
    if not folder.exists():
        folder.mkdir()
        (folder / "comfy_images").symlink_to(ROOT / "comfy_images")
        (folder / "photo.png").write_bytes(PHOTO if folder.name == "first" else PHOTO[:3])
    command = ["bash", "-c", sample.source]
    if sample.lang == "Python":
        command = [sys.executable, "-c", sample.source]
    if not ends:
        command = ["timeout", "2", *command]
    done = subprocess.run(  # noqa: S603 - the words of our own page
        command,
        cwd=folder,
        env=clean_environment(
            {"COMFY_BASE_URL": stack.url, "COMFY_API_KEY": stack.api_key, **(ids or {})}
        ),
        stdout=subprocess.PIPE,
        text=True,
        check=ends,
    )
    return done.stdout
