"""Names from users in a header: nothing in them ends it."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.disposition import content_disposition
from storage.protocol import Delivery


def named(name: str, *, inline: bool = False) -> str:
    return content_disposition(Delivery("image/png", name, inline))


@given(st.text())
def test_any_name_is_one_header_of_printable_ascii(name: str) -> None:
    header = named(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert header.count(";") == 2


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_browser_sees_the_name_as_it_was(name: str) -> None:
    assert unquote(named(name).rpartition("''")[2]) == name


@pytest.mark.parametrize(("inline", "kind"), [(True, "inline"), (False, "attachment")])
def test_the_server_says_whether_it_is_shown(kind: str, *, inline: bool) -> None:
    assert named("a.png", inline=inline) == (f"{kind}; filename=\"a.png\"; filename*=UTF-8''a.png")
