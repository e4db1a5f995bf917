"""The Dockerfile of an environment: as it stands, and that no value becomes an instruction of its own.

There is no Docker here: that an image builds of it is proven on a machine that has one.
"""

import dataclasses
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_images.dockerfile import dockerfile
from comfy_images.image import ImagePlan, image_plan
from comfy_images.manifest import lock, read_manifest
from comfy_images.steps import Command, Step
from tests.comfy_images.environment import STUDIO

WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
"""Of a shell, with its quotes: a quoted && is a word like others."""
GOLDEN = Path(__file__).with_name("data") / "studio.Dockerfile"


def plan() -> ImagePlan:
    return image_plan(lock(read_manifest(STUDIO.encode())))


def instructions(text: str) -> list[str]:
    """As Docker reads them: without comments, continued lines joined."""
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return re.sub(r"\\\n", "", "\n".join(lines)).splitlines()


def commands_in(text: str) -> list[Command]:
    """What the shell makes of every RUN."""
    found: list[list[str]] = []
    for line in instructions(text):
        if not line.startswith("RUN "):
            continue
        found.append([])
        for word in WORD.findall(line.removeprefix("RUN ")):
            if word == "&&":
                found.append([])
            else:
                found[-1] += shlex.split(word)
    return [tuple(command) for command in found]


def test_the_dockerfile_is_the_one_that_was_reviewed() -> None:
    assert dockerfile(plan()) == GOLDEN.read_text()


def test_the_shell_gets_the_words_of_the_steps_and_nothing_else() -> None:
    text = dockerfile(plan())

    wanted = [command for step in plan().steps for command in step.commands]
    assert commands_in(text)[3:-3] == wanted


def test_only_what_we_write_is_an_instruction() -> None:
    words = {line.split()[0] for line in instructions(dockerfile(plan()))}

    assert words == {"FROM", "LABEL", "ENV", "RUN", "USER", "WORKDIR", "VOLUME", "EXPOSE", "CMD"}


def test_no_model_and_no_token_is_in_an_image() -> None:
    text = dockerfile(plan())

    assert "safetensors" not in text
    assert "TOKEN" not in text


def test_the_large_and_stable_comes_first() -> None:
    assert [step.title for step in plan().steps] == [
        "install the Python packages of the environment",
        "install ComfyUI 0.8.1",
        "install the custom nodes ComfyUI-Zoom",
        "install the custom nodes frames",
        "start it once with all its nodes",
    ]


printable = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)
hostile = st.sampled_from(
    [
        *(
            "$(id)",
            "`id`",
            "'; rm -rf / #",
            '"',
            "\\",
            "\\'",
            "&&",
            "||",
            "#",
            "<<EOF",
            "${X}",
            "-",
        ),
        *("a b", "'\\''", "\\\\", "FROM x", ";", ">f", "*", "~", "!", "%", "a\\"),
    ]
)


@given(st.lists(st.lists(printable | hostile, min_size=1, max_size=6), min_size=1, max_size=3))
def test_any_word_reaches_the_shell_as_it_is(commands: list[list[str]]) -> None:
    words = tuple(tuple(command) for command in commands)
    text = dockerfile(dataclasses.replace(plan(), steps=(Step("test", words),)))

    assert commands_in(text)[3:-3] == [*words]
    assert sum(line.startswith("RUN") for line in instructions(text)) == 3


@pytest.mark.parametrize("word", ["a\nRUN id", "a\r", "\x00", "\x1b[2J", "\u2028"])
@pytest.mark.parametrize("where", ["name", "base", "title", "word", "variable"])
def test_a_line_break_is_refused_wherever_it_is(word: str, where: str) -> None:
    changed = {
        "name": dataclasses.replace(plan(), name=word),
        "base": dataclasses.replace(plan(), base=word),
        "title": dataclasses.replace(plan(), steps=(Step(word, (("true",),)),)),
        "word": dataclasses.replace(plan(), steps=(Step("test", (("true", word),)),)),
        "variable": dataclasses.replace(plan(), variables={"A": word}),
    }[where]

    with pytest.raises(ValueError, match="cannot stand in a Dockerfile"):
        dockerfile(changed)
