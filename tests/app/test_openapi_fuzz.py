"""Every operation of our OpenAPI, with what it allows and what it does not: the document holds.

Never a 5xx, never a status that is not documented, every body as its schema says, every refusal in
the envelope. Streams are read of jobs that have ended; the workspace's own stream never ends and
has tests of its own.
"""

from collections.abc import Generator
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from app.config import Settings
from app.main import create_app
from infra.local.postgres import EmbeddedPostgres
from tests.app.conftest import House, lasting_house
from tests.app.front_door import POSTER

EXAMPLES = 30
TIMEOUT_S = 15
_common: Any = checks  # generic over types that the package does not name
_openapi: Any = openapi_checks
CHECKS = [
    _common.not_a_server_error,
    _openapi.status_code_conformance,
    _openapi.content_type_conformance,
    _openapi.response_headers_conformance,
    _openapi.response_schema_conformance,
]
ENDLESS = "/api/v2/events"
NOWHERE = "https://example.invalid/"
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)

contract: Any = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
offered = contract.exclude(path=ENDLESS)


@pytest.fixture(scope="module")
def house(
    postgres: EmbeddedPostgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[House]:
    """One for all operations."""
    with lasting_house(postgres, migrated_template, tmp_path_factory.mktemp("fuzz")) as house:
        yield house


@pytest.fixture(scope="module")
def known(house: House) -> dict[str, str]:
    """Ids that there are, by the part of the path before them."""
    job = house.alice.submit()
    house.executor.claim()
    output_id = house.executor.put_output()
    house.executor.succeed()
    endpoint = house.alice.http.post("/webhooks/endpoints", json={"url": NOWHERE}).json()
    delivery = house.alice.http.post(f"/webhooks/endpoints/{endpoint['id']}/test").json()
    pushed = house.alice.http.post("/workflows", json={"name": "poster", "workflow": POSTER})
    assert pushed.status_code == 201, pushed.text
    return {
        "jobs": job["id"],
        "assets": output_id,
        "endpoints": endpoint["id"],
        "deliveries": delivery["id"],
    }


@offered.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=SLOW,
)
def test_an_operation_keeps_its_contract(house: House, known: dict[str, str], case: Any) -> None:
    ids: dict[str, Any] = case.path_parameters or {}
    if len(str(ids.get("id", ""))) % 2:  # half of the made-up ids become one that there is
        ids["id"] = known[case.path.partition("/{id}")[0].rpartition("/")[2]]
    if len(str(ids.get("name", ""))) % 2:
        ids["name"] = "poster"
    if len(str(ids.get("version", ""))) % 2:
        ids["version"] = "1"
    if case.headers:
        case.headers.pop("Prefer", None)  # waits, as it should
    body: Any = case.body
    if isinstance(body, dict) and "example.com" in str(cast(Any, body).get("url")):
        body["url"] = NOWHERE  # tests call nobody
    if isinstance(body, dict) and "workflow" in body and len(str(cast(Any, body))) % 3 == 0:
        body["workflow"] = POSTER  # no graph that is made up can run
    reply = case.call(
        base_url=house.url,
        headers={"Authorization": f"Bearer {house.alice.key}"},
        timeout=TIMEOUT_S,
    )
    case.validate_response(reply, checks=CHECKS)
    assert reply.headers["x-comfy-request-id"]
    if reply.status_code >= 400 and case.method != "HEAD":
        assert set(reply.json()["error"]) == {"code", "message", "details"}
