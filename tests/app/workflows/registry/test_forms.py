"""`POST /workflows` as a form: any file that carries a workflow, and bodies that are none."""

import json
from collections.abc import Iterator

import pytest

from tests.app.front_door import POSTER
from tests.app.workflows.registry.conftest import Author, code_of

FORM = "multipart/form-data; boundary=x"
FIELD = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%b\r\n'
END = b"--x--"


def test_a_file_is_pushed_as_a_form(author: Author) -> None:
    content = json.dumps(POSTER).encode()
    reply = author.http.post(
        "/workflows",
        data={"name": "poster", "notes": "from a file"},
        files={"file": ("flow.json", content)},
    )
    assert reply.status_code == 201, reply.text
    assert reply.json()["notes"] == "from a file"
    same = author.try_push()
    assert (same.status_code, same.json()["version"]) == (200, 1)


@pytest.mark.parametrize(
    ("data", "file", "wanted"),
    [
        ({"name": "a"}, b"\x89PNG\r\n\x1a\n", "422 no_workflow"),
        ({"name": "a"}, b"", "422 no_workflow"),
        ({"name": "A"}, b"{}", "422 invalid_request"),
        ({}, b"{}", "422 invalid_request"),
        ({"name": "a", "notes": "\x00"}, b"{}", "422 invalid_request"),
        ({"name": "a", "bindings": "{"}, b"{}", "422 invalid_json"),
        ({"name": "a", "bindings": '{"x": 1}'}, b"{}", "422 invalid_request"),
        ({"name": "a", "other": "x"}, b"{}", "422 no_workflow"),
    ],
)
def test_a_form_that_carries_no_workflow_is_refused(
    author: Author, data: dict[str, str], file: bytes, wanted: str
) -> None:
    reply = author.http.post("/workflows", data=data, files={"file": ("x", file)})
    assert code_of(reply) == wanted
    assert code_of(author.http.post("/workflows", files=[("name", (None, "a"))])) == (
        "422 invalid_request"
    )


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b""),
        (FORM, b"garbage"),
        ("multipart/form-data", FILE % b"{}" + END),
        (FORM, b"--x\r\n\r\n\r\n" + END),
        (FORM, FIELD % (b"name", b"a") + END),
        (f"{FORM}; charset=nope", FIELD % (b"name", b"a") + END),
        (FORM, FILE % b"{}"),
        (FORM, FILE % b"{}" + FILE % b"{}" + END),
        (FORM, FIELD % (b"name", b"a" * 1_100_000) + END),
        (FORM, b"".join(FIELD % (b"n%d" % n, b"a") for n in range(50)) + END),
        (FORM, b"--x\r\nA" + b"b" * 200_000 + b": c\r\n\r\n{}\r\n" + END),
        (FORM, b"--x\r\n" + b"Ab: c\r\n" * 20_000 + b"\r\n{}\r\n" + END),
        (FORM, b"--x\r\nCont\x00ent: form-data\r\n\r\na\r\n" + END),
    ],
)
def test_a_body_that_is_no_form_is_refused(author: Author, content_type: str, body: bytes) -> None:
    headers = {"Content-Type": content_type}
    reply = author.http.post("/workflows", content=body, headers=headers)
    assert code_of(reply) == "422 invalid_request"


def test_a_file_above_the_limit_is_refused_while_it_comes(author: Author) -> None:
    def body() -> Iterator[bytes]:
        yield FIELD % (b"name", b"a") + FILE.partition(b"%b")[0]
        for _ in range(110):
            yield b"0" * 1_000_000

    reply = author.http.post("/workflows", content=body(), headers={"Content-Type": FORM})
    assert code_of(reply) == "413 payload_too_large"
