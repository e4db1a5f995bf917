"""The tables of errors and the code say the same: no code is undocumented, none is invented."""

import pytest

from app.openapi.errors import BY_KEY, UNSEEN
from app.openapi.executors import REFUSALS as EXECUTORS
from app.openapi.operations import OPERATIONS
from tests.app.openapi.raised import hidden_calls, raised_codes

EVERY_ADDRESS = {"404 not_found", "405 method_not_allowed"}
SIGNED_URLS = {"403 bad_signature"}


@pytest.mark.parametrize(("key", "files"), sorted(raised_codes().items()))
def test_a_code_that_is_raised_is_documented(key: str, files: set[str]) -> None:
    assert key in BY_KEY or key in EXECUTORS or key in UNSEEN, (
        f"{key} of {sorted(files)} is undocumented: add it to app/openapi/errors.py and to the "
        "operations of app/openapi/operations.py that can answer it, then python -m infra.openapi"
    )


def test_no_code_is_documented_that_nothing_raises() -> None:
    assert {*BY_KEY, *EXECUTORS, *UNSEEN} <= raised_codes().keys()


def test_every_public_code_belongs_to_an_operation() -> None:
    told = {key for operation in OPERATIONS.values() for key in operation.codes}
    assert BY_KEY.keys() - told == EVERY_ADDRESS | SIGNED_URLS


def test_every_code_can_be_read_from_the_source() -> None:
    # The framework's own errors are the one place where a status is not known beforehand.
    assert [place.partition(":")[0] for place in hidden_calls()] == ["app/errors.py"]
