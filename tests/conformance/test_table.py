"""Every promise of v2 has a test, and the page that says which is up to date."""

from tests.conformance.table import PAGE, PROMISES, held, page


def test_every_promise_is_held_by_a_test() -> None:
    missing = [PROMISES[number] for number, tests in held().items() if not tests]
    assert missing == []


def test_the_page_says_which() -> None:
    assert PAGE.read_text() == page(), "python -m tests.conformance.table"
