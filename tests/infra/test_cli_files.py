"""Names of outputs and where they land; text from elsewhere on a terminal."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cli.plain import plain, plain_line
from infra.cli.run.files import MAX_NAME_BYTES, IncompleteError, safe_name, save


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("poster_00001_.png", "poster_00001_.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\x.png", "x.png"),
        ("..", "output"),
        ("", "output"),
        (".bashrc", "bashrc"),
        ("a\x1b[31mb\n.png", "a[31mb .png"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("what?.png", "what_.png"),
        ("nul.txt", "_nul.txt"),
        ("héllo.png", "héllo.png"),
    ],
)
def test_a_name_is_made_harmless(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(max_size=400))
def test_any_name_stays_in_its_folder(name: str) -> None:
    safe = safe_name(name)

    assert safe not in {"", ".", ".."}
    assert Path(safe).name == safe
    assert len(safe.encode()) <= MAX_NAME_BYTES
    assert plain_line(safe) == safe


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    paths = [save(tmp_path, "a.png", [b"one", b"two"], 6) for _ in range(3)]

    assert [path.name for path in paths] == ["a.png", "a (1).png", "a (2).png"]
    assert paths[0].read_bytes() == b"onetwo"


def test_a_link_that_waits_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "elsewhere")

    assert save(tmp_path, "a.png", [b"x"], 1).name == "a (1).png"
    assert not (tmp_path / "elsewhere").exists()


def test_a_download_that_ends_early_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(IncompleteError, match="3 of 6 bytes"):
        save(tmp_path, "a.png", [b"one"], 6)

    assert list(tmp_path.iterdir()) == []


def test_text_from_elsewhere_cannot_move_the_cursor() -> None:
    assert plain("a\x1b[2J\rb\x9b1m\u202ec\td\ne") == "a[2Jb1mc\td\ne"
