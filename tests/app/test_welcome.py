"""What needs no key: the page for people, health, the contract."""

import warnings
from datetime import UTC, datetime

import httpx

from app.config import Settings
from app.main import create_app
from app.welcome import who_works
from app.workflows.environments.repository import Environment
from tests.app.conftest import House


def test_a_person_who_opens_the_address_is_told_what_it_is(house: House) -> None:
    reply = httpx.get(house.url)
    assert reply.headers["content-type"].startswith("text/html")
    assert "Comfyburst is running" in reply.text
    assert "<script" not in reply.text
    assert httpx.head(house.url).status_code == 200


def test_a_person_is_told_who_does_the_work(house: House) -> None:
    assert "the embedded engine, which is not ComfyUI" in httpx.get(house.url).text


def test_what_a_worker_says_of_itself_is_no_markup_of_the_page() -> None:
    real = Environment(
        name="big",
        digest="d",
        backend="local",
        workspaces=None,
        comfyui_version="<b>0.8.0",
        is_engine=False,
        registered_at=datetime.now(UTC),
    )

    assert "big</code> is done by ComfyUI &lt;b&gt;0.8.0." in who_works([real])
    assert "No worker" in who_works([])


def test_health_says_what_registered(house: House) -> None:
    assert httpx.get(f"{house.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{house.url}/api/v2/health").json()["status"] == "healthy"
    [environment] = httpx.get(f"{house.url}/readyz").json()["environments"]
    assert (environment["name"], environment["is_engine"]) == ("local", True)


def test_the_contract_is_public_and_without_internals(house: House) -> None:
    paths = httpx.get(f"{house.url}/openapi.json").json()["paths"]
    assert "/api/v2/jobs" in paths
    assert not any(path.startswith("/internal") for path in paths)


def test_the_contract_names_every_operation_once() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        create_app(Settings()).openapi()
