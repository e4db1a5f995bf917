"""Where the TypeScript SDK reaches us, and who is turned away: prefixes, TLS, keys, errors."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.app.front_door import POSTER
from tests.conformance.clients.authority import make_identity
from tests.conformance.clients.front import fronting
from tests.conformance.clients.installed import CLIENTS, NEEDS_CLIENTS
from tests.conformance.clients.node import Sdk

pytestmark = NEEDS_CLIENTS

PREFIX = "/deployment/x"


def finish_next(house: House) -> None:
    """Do the job that waits."""
    house.executor.claim()
    house.executor.put_output(b"0123456789")
    house.executor.succeed()


def use_all(house: House, sdk: Sdk, folder: Path) -> dict[str, Any]:
    """Upload, submit, watch, wait, download, cancel; returns the job as read."""
    [asset] = sdk.run("commit", json.dumps([["a.png", "bytes"]]))
    assert asset["createdNew"] is True
    [job] = sdk.run("submit", json.dumps({"graphs": [POSTER]}))
    finish_next(house)
    assert sdk.run("watch", job["id"])[-1]["status"] == "succeeded"
    assert sdk.run("wait", job["id"])[1] == {"status": "succeeded", "outputs": 1}
    assert sdk.run("fetch", job["id"], str(folder))[1] == "01234"
    assert sdk.run("cancel", job["id"]) == ["succeeded"] * 2
    [read] = sdk.run("read", job["id"])
    return read


def test_a_mount_under_a_prefix_keeps_it_once(
    programs: None, settings: Settings, tmp_path: Path
) -> None:
    with (
        fronting(prefix=PREFIX) as front,
        opened_house(settings.model_copy(update={"public_url": front.url})) as house,
    ):
        front.target = house.url
        read = use_all(house, Sdk(CLIENTS, front.url, house.alice.key), tmp_path)
        assert {url.count(PREFIX) for url in read["urls"].values()} == {1}
        assert {exchange.path.count(PREFIX) for exchange in front.exchanges} == {1}
        [output] = house.alice.job(house.alice.http.get("/jobs").json()["jobs"][0]["id"])["outputs"]
        assert output["url"].startswith(front.url + "/")


def test_behind_tls_every_url_is_https(programs: None, settings: Settings, tmp_path: Path) -> None:
    identity = make_identity(tmp_path, "comfy.test")
    with (
        fronting(identity=identity) as front,
        opened_house(settings.model_copy(update={"public_url": front.url})) as house,
    ):
        front.target = house.url
        trusted = {"NODE_EXTRA_CA_CERTS": str(identity.authority)}
        use_all(house, Sdk(CLIENTS, front.url, house.alice.key, trusted), tmp_path)
        [job] = house.alice.http.get("/jobs").json()["jobs"]
        assert job["outputs"][0]["url"].startswith(front.url + "/")


@pytest.mark.parametrize("key", ["", "cb_wrong", "ü"])
def test_without_a_good_key_nothing_is_answered_but_401(house: House, sdk: Sdk, key: str) -> None:
    job = house.alice.submit()
    asset = house.alice.upload(b"asset").json()
    stranger = Sdk(CLIENTS, sdk.url, key)
    calls = stranger.run("every_call", job["id"], asset["id"])
    links = stranger.run("every_link", job["id"])
    assert len(calls) == 5
    assert len(links) == 8
    for call in (*calls, *links):
        refusal = (call.get("error"), call.get("code"), call.get("status"))
        assert refusal == ("Unauthorized", "unauthorized", 401), call
