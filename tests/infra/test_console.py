"""What a person sees of the services' output."""

import json

from infra.local.console import readable


def shown(**entry: object) -> str | None:
    return readable(json.dumps(entry), colour=False)


def test_a_line_of_ours_is_its_message_with_the_ids() -> None:
    line = shown(level="info", logger="app.jobs", message="claimed", job_id="j1", epoch=2)
    assert line == "claimed  job_id=j1 epoch=2"


def test_a_warning_says_so() -> None:
    assert shown(level="warning", logger="app", message="late") == "warning: late"


def test_colour_is_for_terminals() -> None:
    line = readable(json.dumps({"level": "error", "message": "x"}), colour=True)
    assert line == "\033[31merror: x\033[0m"


def test_requests_that_went_well_are_left_to_the_log_file() -> None:
    assert shown(level="info", logger="app.access", message="GET / 200", status=200) is None
    assert shown(level="info", logger="app.access", message="GET / 404", status=404)


def test_libraries_are_heard_only_when_something_is_wrong() -> None:
    assert shown(level="info", logger="uvicorn.error", message="started") is None
    assert shown(level="warning", logger="uvicorn.error", message="odd") == "warning: odd"


def test_text_that_is_not_json_is_shown_without_what_moves_a_cursor() -> None:
    assert readable("a\033[2Jb\rc", colour=False) == "a [2Jb c"
    assert readable("[1, 2]", colour=False) == "[1, 2]"
    assert readable('{"no": "message"}', colour=False) == '{"no": "message"}'


def test_a_message_cannot_move_the_cursor_either() -> None:
    assert shown(message="a\033[2J\nb") == "a [2J b"


def test_json_as_deep_as_a_node_likes_is_only_text() -> None:
    assert readable("[" * 100_000, colour=False) == "[" * 100_000
