"""`python -m tests.chaos.table` writes into docs/reliability.md which tests prove which row of the failure matrix.

A test says in its docstring which row it proves, as `Row 7`; those of other folders are named here.
A row that nothing proves, and a name that is no test, are errors of `test_table.py`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
PAGE: Final = ROOT / "docs" / "reliability.md"
BEGIN: Final = "<!-- rows: written by python -m tests.chaos.table -->"
END: Final = "<!-- /rows -->"

ROWS: Final = {
    1: ("`kill -9` of a worker in the middle of a job", "it runs again: one try more, one end"),
    2: ("`kill -9` of a worker between hearing of a job and claiming it", "no try is counted"),
    3: ("a worker frozen for longer than its lease", "the new run wins; the old one is refused and stops"),
    4: ("`kill -9` of ComfyUI in the middle of a job", "`comfyui_crashed`, again on a fresh ComfyUI"),
    5: ("ComfyUI hangs", "`stalled` after the stall time-out; the worker is free again"),
    6: ("the GPU runs out of memory", "`gpu_oom`; the next job on that worker works"),
    7: ("a node raises, or the graph is wrong", "failed at once, with the node and its traceback"),
    8: ("a workflow that always kills its process", "as many starts as allowed, then failed; nobody else is hurt"),
    9: ("Redis is flushed with jobs queued and running", "all of them end, none twice"),
    10: ("Redis is away or frozen during a submit", "201 as ever; a worker asks by itself"),
    11: ("Redis restarts under an event stream", "the stream goes on, no event is missing"),
    12: ("Postgres restarts at once, or is away for two leases", "503 with Retry-After; running jobs lose no try"),
    13: ("Postgres is frozen", "503 within the time-out; no connection stays stuck"),
    14: ("`kill -9` of the front door", "streams resume after their last id: no gap, no repetition"),
    15: ("SIGTERM of the front door with fifty streams open", "it ends within seconds"),
    16: ("an executor is answered 500, or not at all", "repeated; past a lease fenced cleanly and run again"),
    17: ("an answer to an executor is lost", "said again, taken once"),
    18: ("events come twice, late and out of order", "a dense log, progress that only grows, one end"),
    19: ("the same wake-up or claim comes again", "one start"),
    22: ("a cancel in every state", "at once, or interrupted; after the end 200 with the job unchanged"),
    23: ("storage answers 503 or nothing; a URL expires", "repeated, a fresh URL; then `output_upload`"),
    24: ("the disk is full", "uploads 507, jobs `storage_full`; the API stays up"),
    25: ("a webhook's receiver is down, slow, gone or leads inside", "the schedule is kept; 410 disables; no redirect is followed"),
    26: ("the clock of a worker is ten minutes ahead", "nothing changes"),
    27: ("a reader of events never reads", "memory stays flat; it is dropped and may resume"),
    28: ("two front doors, two reapers", "no transition twice"),
    29: ("fifty equal submits with one Idempotency-Key", "one job; another body is 422"),
    30: ("bodies too large, too deep, not UTF-8", "413 or 422 in the envelope, never 500"),
}  # fmt: skip
"""What is done, and what its user sees. Rows 20 and 21 come with Modal."""

_JOBS: Final = "tests/app/jobs"
_EXECUTOR: Final = "tests/gpu_functions/test_executor.py"
_EVENTS: Final = "tests/gpu_functions/test_events.py"
ELSEWHERE: Final = {
    1: (f"{_JOBS}/test_reaping.py::test_a_passed_lease_starts_the_job_again",),
    3: (
        f"{_JOBS}/test_transitions.py::test_every_write_of_an_older_epoch_is_refused",
        f"{_EXECUTOR}::test_a_stale_epoch_stops_the_run_and_throws_everything_away",
    ),
    4: (f"{_EXECUTOR}::test_a_process_that_dies_is_reported_and_the_next_job_works",),
    5: (f"{_EXECUTOR}::test_a_frozen_process_is_a_stall_and_is_replaced",),
    6: (f"{_EXECUTOR}::test_memory_that_ran_out_is_told_and_the_next_job_works",),
    7: (f"{_EXECUTOR}::test_a_node_that_does_not_exist_is_named",),
    8: (f"{_JOBS}/test_reaping.py::test_a_workflow_that_kills_every_worker_is_poisoned",),
    11: (f"{_JOBS}/test_event_stream.py::test_a_stream_is_right_without_redis_only_slower",),
    12: (
        f"{_JOBS}/test_reaping.py::test_a_late_tick_extends_every_lease_and_nothing_is_reaped",
        f"{_JOBS}/test_reaping.py::test_the_reaper_itself_refuses_without_a_fresh_tick",
    ),
    14: (f"{_JOBS}/test_event_stream.py::test_a_resumed_stream_has_no_gap_and_repeats_nothing",),
    15: (f"{_JOBS}/test_event_stream.py::test_a_front_door_ends_quickly_with_streams_open",),
    16: (
        f"{_EXECUTOR}::test_an_outage_of_ten_leases_in_the_middle_costs_nothing",
        f"{_EVENTS}::test_the_front_door_is_asked_to_wait_by_retry_after",
    ),
    17: (f"{_EXECUTOR}::test_lost_replies_everywhere_change_nothing",),
    18: (f"{_JOBS}/test_state_machine.py::test_any_order_of_events_keeps_the_promises",),
    19: (
        f"{_JOBS}/test_races.py::test_equal_claims_in_parallel_start_one_job",
        f"{_JOBS}/test_reaping.py::test_a_dispatched_job_is_claimed_by_its_own_call_alone",
    ),
    22: (
        f"{_JOBS}/test_reaping.py::test_cancel_of_a_dispatched_job_marks_its_call",
        f"{_JOBS}/test_races.py::test_a_success_behind_an_uncommitted_cancel_becomes_canceled",
        f"{_JOBS}/test_job_api.py::test_cancel_of_a_finished_job_returns_it_unchanged",
        f"{_EXECUTOR}::test_a_cancel_that_comfyui_ignores_ends_its_process",
    ),
    23: (
        f"{_EXECUTOR}::test_storage_that_stays_broken_fails_the_job",
        f"{_EXECUTOR}::test_an_expired_upload_url_is_replaced_by_a_fresh_one",
    ),
    25: (
        "tests/app/webhooks/test_retries.py::test_ten_attempts_follow_the_schedule_and_are_the_same",
        "tests/app/webhooks/test_retries.py::test_410_disables_the_endpoint_and_drops_what_waits",
        "tests/app/webhooks/test_retries.py::test_a_redirect_is_a_failure_and_is_not_followed",
        "tests/app/webhooks/test_retries.py::test_a_receiver_that_hangs_delays_no_other",
        "tests/app/test_safe_http.py::test_a_name_of_a_private_address_is_never_connected_to",
    ),
    28: (
        f"{_JOBS}/test_races.py::test_two_reapers_move_a_job_once",
        f"{_JOBS}/test_races.py::test_the_reaper_does_not_wait_for_a_row_in_use",
    ),
    29: (
        f"{_JOBS}/test_job_api.py::test_fifty_equal_requests_at_once_make_one_job",
        f"{_JOBS}/test_job_api.py::test_the_same_key_with_another_body_is_refused",
    ),
    30: (
        "tests/app/hostile/test_json.py::test_one_byte_more_than_ten_megabytes_is_413",
        "tests/app/hostile/test_json.py::test_what_is_not_quite_json_is_422",
        f"{_JOBS}/test_bad_input.py::test_a_body_that_is_not_a_job_is_refused",
    ),
}
"""Tests of other folders that prove a row too, or alone."""
_REFERENCE: Final = re.compile(r"\bRow (\d{1,2})\b")


def proofs() -> dict[int, list[str]]:
    """The tests of every row, as `file::test`."""
    found = {row: list[str]() for row in ROWS}
    for path in sorted(HERE.glob("test_*.py")):
        for name, docstring in named_tests(path):
            for row in dict.fromkeys(map(int, _REFERENCE.findall(docstring))):
                found[row].append(f"{path.relative_to(ROOT)}::{name}")
    return {row: [*tests, *ELSEWHERE.get(row, ())] for row, tests in found.items()}


def named_tests(path: Path) -> Iterator[tuple[str, str]]:
    """The names of the tests in a file, and their docstrings."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_":
            yield node.name, ast.get_docstring(node) or ""


def part() -> str:
    """What stands between the marks of the page."""
    lines: list[str] = []
    for row, tests in proofs().items():
        done, seen = ROWS[row]
        lines += [f"**{row}. {done}**: {seen}.", ""]
        lines += [f"- `{test}`" for test in tests] + [""]
    return "\n".join(lines)


def page(now: str) -> str:
    """The page with that part anew."""
    head, _, rest = now.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{part()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
