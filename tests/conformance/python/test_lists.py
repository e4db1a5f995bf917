"""Lists: newest first, page by page, by label."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from comfy_low.errors import ApiError
from comfy_sdk import Comfy, ComfyError

from tests.app.conftest import House
from tests.conformance.clients.front import Front
from tests.conformance.python.flavours import Flavour, opened_low
from tests.conformance.python.graphs import poster

COUNT = 250


def submitted(house: House) -> list[str]:
    """Ids of many jobs, oldest first; every tenth is of run 7."""

    def submit(number: int) -> str:
        labels = {"run": str(number % 10), "number": str(number)}
        return house.alice.submit(metadata=labels)["id"]

    with ThreadPoolExecutor(4) as pool:
        return sorted(pool.map(submit, range(COUNT)))


def test_all_jobs_are_listed_in_pages(comfy: Comfy, house: House, front: Front) -> None:
    """v2.26: 250 jobs in 3 pages, newest first, each once."""
    ids = submitted(house)
    summaries = list(comfy.list_jobs(limit=100))
    assert [summary.id for summary in summaries] == ids[::-1]
    assert len(front.seen("GET")) == 3
    assert all(s.create_time and s.update_time and s.status == "queued" for s in summaries)
    typed: Any = {"run": 7}  # the SDK sends numbers as their text
    of_run_7 = list(comfy.list_jobs(metadata=typed, limit=100))
    assert len(of_run_7) == COUNT // 10
    assert {summary.metadata["run"] for summary in of_run_7} == {"7"}
    assert len(front.seen("GET")) == 4, "the filter is ours, not the SDK's"
    assert comfy.jobs.get(of_run_7[0].id).metadata == of_run_7[0].metadata


def test_a_cursor_that_is_not_ours_is_said(flavour: Flavour, house: House) -> None:
    """v2.26: not an empty page."""
    with (
        opened_low(flavour, house.url, house.alice.key) as low,
        pytest.raises(ApiError) as refused,
    ):
        low.list_jobs(cursor="bogus")
    assert refused.value.code == "invalid_cursor"


def test_labels_are_fixed_and_bounded(comfy: Comfy) -> None:
    """v2.26: sixteen pairs of texts."""
    labels = {f"k{i}": "v" for i in range(16)}
    assert comfy.submit(poster(), metadata=labels).metadata == labels
    with pytest.raises(ComfyError) as refused:
        comfy.submit(poster(), metadata={**labels, "one": "more"})
    assert refused.value.http_status == 422


def test_an_empty_list_is_empty(comfy: Comfy) -> None:
    """v2.26: no page after the last."""
    assert list(comfy.list_jobs()) == []
