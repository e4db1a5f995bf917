"""POST /prompt judges a graph as ComfyUI 0.8.0 does: every captured request, answer for answer.

Newer ones answer some of them otherwise: validation-newer.jsonl has those of 0.33.0, captured here, each
with the version that began to answer so.
"""

from operator import itemgetter
from typing import Any

import pytest

from tests.comfy_images.engine.captures import load_lines, timeless
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import saved_color
from tests.conformance.comfyui.servers import Server

_ROWS = load_lines("validation.jsonl")
_NEWER = {row["note"]: row for row in load_lines("validation-newer.jsonl")}
_UNKNOWN = "missing node type"


def _comparable(body: Any) -> Any:
    """Without run-dependent parts; missing inputs in a fixed order, since ComfyUI's is random."""
    body = timeless(body)
    body.pop("number", None)
    for node in body.get("node_errors", {}).values():
        node["errors"].sort(key=itemgetter("details"))
    return body


@pytest.mark.parametrize("row", _ROWS, ids=[row["note"] for row in _ROWS])
async def test_every_captured_prompt_gets_the_captured_answer(
    client: EngineClient, server: Server, row: Any
) -> None:
    newer = _NEWER.get(row["note"])
    if newer and server.version >= tuple(newer["since"]):
        row = {"path": row["path"], "req": row["req"], **newer}
    answer = await client.post(row["path"], row["req"])

    assert answer.status == row["status"]
    if "json" not in row:
        assert answer.body.decode() == row["text"]
        return
    body = _comparable(answer.body)
    if row["note"] == _UNKNOWN:
        body["error"]["details"] = body["error"]["details"].partition(".")[0]
    assert body == _comparable(row["json"])


@pytest.mark.parametrize("content", ["{nope", "null", "5"])
async def test_a_body_that_is_no_object_is_an_internal_error(
    client: EngineClient, content: str
) -> None:
    answer = await client.send("POST", "/prompt", data=content)

    assert answer.status == 500
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_the_content_type_of_a_prompt_does_not_matter(client: EngineClient) -> None:
    text = '{"prompt": {}}'

    answer = await client.send("POST", "/prompt", data=text, headers={"Content-Type": "text/x"})

    assert answer.body["error"]["type"] == "prompt_no_outputs"


async def test_a_page_of_another_origin_is_refused(client: EngineClient) -> None:
    body = {"prompt": saved_color(1)}

    answer = await client.post("/prompt", body, headers={"Origin": "http://evil.example"})

    assert (answer.status, answer.body) == (403, b"")


async def test_front_makes_the_number_negative_and_a_given_number_is_kept(
    client: EngineClient,
) -> None:
    front = (await client.post("/prompt", {"prompt": saved_color(2), "front": True})).body
    given = (await client.post("/prompt", {"prompt": saved_color(2), "number": -5})).body

    assert front["number"] < 0
    assert given["number"] == -5.0
