"""How test groups are counted, and that no test falls between them."""

from itertools import product

import pytest

from infra.checks.groups import GROUPS, Counts, choose, judge, read_counts

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3"
tests="10" time="1.0"></testsuite></testsuites>"""


def test_errors_count_as_failures() -> None:
    assert read_counts(REPORT) == Counts(passed=4, failed=3, skipped=3)


def test_the_sum_reads_as_the_last_line_of_a_run() -> None:
    assert str(Counts(4, 3, 3) + Counts(1, 0, 1)) == "5 passed, 3 failed, 4 skipped"


def test_a_group_without_tests_has_failed() -> None:
    counts, reason = judge(5, Counts())

    assert (counts.failed, reason) == (1, "no tests were found")


def test_a_pytest_that_breaks_off_has_failed() -> None:
    counts, reason = judge(-9, Counts(passed=7))

    assert (counts, reason) == (Counts(passed=7, failed=1), "pytest ended with -9")


def test_failed_tests_are_not_counted_twice() -> None:
    assert judge(1, Counts(passed=7, failed=2)) == (Counts(passed=7, failed=2), "")


def test_a_named_group_runs_alone_and_the_rest_goes_to_pytest() -> None:
    groups, for_pytest = choose(["-x", "--comfyui", "tests/torture"])

    assert [group.name for group in groups] == ["real ComfyUI"]
    assert for_pytest == ["-x", "tests/torture"]


def test_without_a_name_every_group_runs() -> None:
    assert choose(["-x"]) == (list(GROUPS), ["-x"])


@pytest.mark.parametrize("markers", list(product([False, True], repeat=6)), ids=str)
def test_every_combination_of_markers_is_run_by_exactly_one_group(
    markers: tuple[bool, ...],
) -> None:
    names = ("stack", "chaos", "comfyui", "clients", "s3server", "bench")
    known: dict[str, bool] = dict(zip(names, markers, strict=True))

    def chosen(expression: str) -> bool:
        terms = [term.split() for term in expression.split(" and ")]
        return all(known[words[-1]] is (words[0] != "not") for words in terms)

    assert [chosen(group.markers) for group in GROUPS].count(True) == 1
