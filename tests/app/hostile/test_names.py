"""File names as weapons: refused, or served under a clean name with one clean header."""

import email.message
import itertools
import re
import unicodedata
from urllib.parse import unquote

import httpx
import pytest

from app.assets.media import MAX_NAME_LENGTH, clean_basename
from tests.app.conftest import House
from tests.app.hostile.wire import Reply, Wire, form, part

_numbers = itertools.count()


def upload(wire: Wire, file_path: str, content_type: str = "image/png") -> Reply:
    """Upload bytes of their own under a path."""
    content = f"bytes {next(_numbers)}"
    texts = part("content_type", content_type) + part("file_path", file_path)
    disposition = 'form-data; name="file"; filename="ignored.exe"'
    return wire.upload(form(texts, part("file", content, disposition=disposition)))


@pytest.mark.parametrize(
    "path",
    [
        "..",
        ".",
        "../x.png",
        "a/../../x.png",
        "a/./x.png",
        "/etc/passwd",
        "//host/share",
        "\\\\host\\share",
        "..\\..\\x.png",
        "C:\\x.png",
        "c:x.png",
        "file:///etc/passwd",
        "a//b",
        "a/",
        "a\nb",
        "a\rb",
        "a\r\nSet-Cookie: x=y",
        "a\x1b[2Jb",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "",
        "x" * 1_001,
        "a/" * 501,
    ],
)
@pytest.mark.usefixtures("nothing_kept")
def test_a_path_that_leads_elsewhere_is_422(wire: Wire, path: str) -> None:
    reply = upload(wire, path)
    assert (reply.status, reply.code) == (422, "invalid_file_path"), path


@pytest.mark.parametrize(
    "path",
    [
        "x.png [output]",
        'say "hi"; name=x.png',
        "semi;colon,comma=equals.png",
        "percent%2e%2e%2f.png",
        "star*'tick.png",
        "写真 🏔️.png",
        "e\u0301.png",
        "rtl\u202egnp.exe",
        "isolate\u2066x\u2069.png",
        "zero\u200bwidth\ufeff.png",
        "mark\u061c.png",
        "CON",
        "nul.txt",
        "__proto__",
        "constructor.png",
        "<script>alert(1)</script>.png",
        "$(touch x).png",
        "trailing dots...",
        "spaces   .png ",
        "-rf",
        ".hidden",
        "a/b/c/deep.png",
        "x" * 1_000,
        "写" * 300 + ".png",
    ],
)
def test_any_other_name_is_served_with_one_clean_header(wire: Wire, path: str) -> None:
    reply = upload(wire, path)
    assert reply.status == 201, reply.body
    asset = httpx.Response(200, content=reply.body).json()
    assert asset["file_path"] == path, "it is found again under its own name"
    content = httpx.get(asset["url"])
    ascii_name, name = names_of(content.headers["content-disposition"])
    assert content.headers["x-content-type-options"] == "nosniff"
    assert len(content.headers.get_list("content-disposition")) == 1
    assert len(name) <= MAX_NAME_LENGTH
    assert not set(name) & set('/\\"\r\n\x00')
    assert not [c for c in name if unicodedata.category(c) in {"Cc", "Cf"} and c != "\u200d"]
    assert re.fullmatch(r"[\w.\- ]+", ascii_name, re.ASCII)


def names_of(header: str) -> tuple[str, str]:
    """The two names of a Content-Disposition, as RFC 6266 and RFC 5987 read them."""
    message = email.message.Message()
    message["Content-Disposition"] = header
    ascii_name = re.search(r'filename="([^"]*)"', header)
    extended = re.search(r"filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]*)(?:;|$)", header)
    assert ascii_name, header
    assert extended, header
    assert message.get_content_disposition() in {"inline", "attachment"}
    return ascii_name[1], unquote(extended[1], errors="strict")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("page.html", "text/html"),
        ("page.xhtml", "application/octet-stream"),
        ("page.htm", "application/octet-stream"),
        ("drawing.svg", "image/svg+xml"),
        ("code.js", "application/octet-stream"),
        ("code.mjs", "application/octet-stream"),
        ("feed.xml", "application/octet-stream"),
        ("paper.pdf", "application/pdf"),
        ("photo.png.html", "text/html"),
        ("photo.png.", "application/octet-stream"),
        ("photo.PnG\u202e", "application/octet-stream"),
        ("photo.png ", "application/octet-stream"),
        ("noextension", "application/octet-stream"),
    ],
)
def test_active_content_is_an_attachment_in_a_sandbox(
    wire: Wire, house: House, path: str, content_type: str
) -> None:
    asset = httpx.Response(200, content=upload(wire, path, "image/png").body).json()
    assert asset["content_type"] == content_type
    key = {"Authorization": f"Bearer {house.alice.key}"}
    for url, headers in (
        (asset["url"], {}),
        (house.url + f"/api/v2/assets/{asset['id']}/content", key),
    ):
        served = httpx.get(url, headers=headers)
        assert served.headers["content-type"].partition(";")[0] == content_type
        assert served.headers["content-disposition"].startswith("attachment;")
        assert served.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in served.headers["content-security-policy"]


def test_the_type_is_ours_whatever_the_uploader_says(wire: Wire) -> None:
    for claimed in ("text/html", "image/svg+xml", "a\r\nb", "x" * 8_000, "🏔️", ""):
        asset = httpx.Response(200, content=upload(wire, "photo.png", claimed).body).json()
        assert asset["content_type"] == "image/png", claimed
        assert httpx.get(asset["url"]).headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a/b\\c.png", "c.png"),
        ("..", "file"),
        ("...", "file"),
        ("", "file"),
        ("x.png [output]", "x.png _output_"),
        ("x.png[Temp]", "x.png_Temp_"),
        ("a\r\nb", "a__b"),
        ('"q"', "_q_"),
        ("rtl\u202egnp.exe", "rtl_gnp.exe"),
        ("x" * 300 + ".png", "x" * (MAX_NAME_LENGTH - 21) + ".png"),
        ("a." + "e" * 300, "a." + "e" * 20),
    ],
)
def test_a_basename_is_cleaned(name: str, clean: str) -> None:
    assert clean_basename(name) == clean
