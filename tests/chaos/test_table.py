"""Every row of the failure matrix has a test that exists, and the page that says which is up to date."""

import pytest

from tests.chaos.table import ELSEWHERE, PAGE, ROOT, ROWS, named_tests, page, proofs

pytestmark = pytest.mark.chaos


def test_every_row_is_proven_by_a_test() -> None:
    missing = [ROWS[row] for row, tests in proofs().items() if not tests]
    assert missing == []


def test_every_test_that_is_named_exists() -> None:
    for test in (test for tests in ELSEWHERE.values() for test in tests):
        path, _, name = test.partition("::")
        assert name in dict(named_tests(ROOT / path)), test


def test_the_page_says_which() -> None:
    assert PAGE.read_text() == page(PAGE.read_text()), "python -m tests.chaos.table"
