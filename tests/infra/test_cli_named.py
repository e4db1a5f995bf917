"""`comfyburst run NAME -i INPUT=VALUE`: each value gets the type of its input."""

from pathlib import Path
from typing import Any

import pytest

from infra.cli.run.inputs import InputError
from infra.cli.run.named import address_of, is_reference, values_of


def binding(name: str, type: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type, **more}


BINDINGS: dict[str, Any] = {
    "inputs": [
        binding("prompt", "text"),
        binding("seed", "seed"),
        binding("width", "integer"),
        binding("cfg", "number"),
        binding("tile", "boolean"),
        binding("sampler", "choice", choices=["euler", "7", 8, True]),
        binding("photo", "file"),
    ]
}


def upload(path: Path) -> dict[str, Any]:
    return {"uploaded": path.name}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("prompt=a = b", "a = b"),
        ("prompt=7", "7"),
        ("prompt=@home", "@home"),
        ("prompt:=null", None),
        ("seed=random", "random"),
        ("seed=18446744073709551615", 2**64 - 1),
        ("width=768", 768),
        ("cfg=1.5", 1.5),
        ("tile=true", True),
        ("sampler=euler", "euler"),
        ("sampler=7", "7"),
        ("sampler=8", 8),
        ("sampler=true", True),
        ("sampler=other", "other"),
        ("photo=known.png", "known.png"),
    ],
)
def test_a_text_becomes_a_value(text: str, wanted: object) -> None:
    [value] = values_of(BINDINGS, [text], upload).values()
    assert (value, type(value)) == (wanted, type(wanted))


def test_a_file_is_uploaded(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"png")
    values = values_of(BINDINGS, [f"photo=@{tmp_path}/cat.png"], upload)
    assert values == {"photo": {"uploaded": "cat.png"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompt", "INPUT=VALUE"),
        ("promt=x", "there are: prompt, seed"),
        ("width=wide", "neither a number"),
        ("width=NaN", "neither a number"),
        ("photo=@/nowhere.png", "no file"),
    ],
)
def test_what_is_no_value_is_said(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        values_of(BINDINGS, [text], upload)


def test_a_name_is_told_from_a_file() -> None:
    assert is_reference("poster")
    assert is_reference("poster@3")
    assert not is_reference("poster.json")
    assert not is_reference("flows/poster")
    assert address_of("poster") == ("poster", "latest")
    assert address_of("poster@prod") == ("poster", "prod")
