"""What the README tells people to type is typed here."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.running import clean_environment, running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
LINES = [
    line.partition("#")[0].strip()
    for language, block in BLOCKS
    if not language
    for line in block.splitlines()
]


@pytest.mark.stack
def test_the_readmes_commands_make_pictures(tmp_path: Path) -> None:
    command = next(line for line in LINES if "comfyburst run" in line)
    program = next(block for language, block in BLOCKS if language == "python")
    with running(tmp_path / "state") as stack:
        environment = clean_environment(
            {"COMFY_BASE_URL": stack.url, "COMFY_API_KEY": stack.api_key}
        )
        words = shlex.split(command)
        assert words[0] == ".venv/bin/comfyburst"
        made = tmp_path / "outputs"
        subprocess.run(  # noqa: S603 - the README's own words
            [sys.executable, "-m", "infra.cli.main", *words[1:-1], str(made)],
            cwd=ROOT,
            env=environment,
            check=True,
        )
        (tmp_path / "comfy_images").symlink_to(ROOT / "comfy_images")
        subprocess.run(  # noqa: S603 - the README's own program
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True
        )
    pictures = [*made.glob("*.png"), *tmp_path.glob("*.png")]
    assert len(pictures) == 2
    for picture in pictures:
        with Image.open(picture) as image:
            assert image.size == (768, 1024)


def test_every_dev_command_it_names_exists() -> None:
    shown = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(ROOT / "dev"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    named = {words[1] for line in LINES if (words := line.split())[:1] == ["./dev"] and words[1:]}
    assert named
    for name in named:
        assert f"./dev {name}" in shown


def test_every_file_it_names_is_there() -> None:
    linked = re.findall(r"\]\(([\w./-]+)\)", README)
    assert linked
    assert all((ROOT / path).exists() for path in linked)
    assert os.access(ROOT / "dev", os.X_OK)
