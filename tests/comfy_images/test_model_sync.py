"""Which models are fetched, checked or left, and what a hash means."""

import pytest

from comfy_images.manifest import Lock, lock, read_manifest
from comfy_images.model_sync import (
    Blocked,
    Check,
    Fetch,
    Found,
    HashMismatchError,
    Keep,
    bytes_to_fetch,
    judge,
    plan_sync,
)
from tests.comfy_images.environment import STUDIO

PORTRAIT, STYLE = "checkpoints/portrait.safetensors", "loras/style/style.safetensors"
PORTRAIT_BYTES, STYLE_BYTES = 6_938_078_334, 144_000_000


def locked() -> Lock:
    return lock(read_manifest(STUDIO.encode()))


def kinds(found: dict[str, Found], of: Lock | None = None) -> list[type]:
    return [type(action) for action in plan_sync(of or locked(), found)]


def test_what_is_not_there_is_fetched() -> None:
    plan = plan_sync(locked(), {})

    assert [type(action) for action in plan] == [Fetch, Fetch]
    assert bytes_to_fetch(plan, {}) == PORTRAIT_BYTES + STYLE_BYTES
    assert bytes_to_fetch(plan, {STYLE: 44_000_000}) == PORTRAIT_BYTES + 100_000_000


def test_a_file_whose_hash_was_checked_is_kept() -> None:
    plan = plan_sync(locked(), {PORTRAIT: Found(PORTRAIT_BYTES, "d" * 64)})

    assert [type(action) for action in plan] == [Keep, Fetch]
    assert bytes_to_fetch(plan, {}) == STYLE_BYTES


def test_a_file_that_was_never_hashed_is_checked() -> None:
    assert kinds({PORTRAIT: Found(PORTRAIT_BYTES, None)}) == [Check, Fetch]


def test_a_file_of_which_nobody_knows_a_hash_is_checked_so_that_it_is_recorded() -> None:
    found = {STYLE: Found(STYLE_BYTES, "e" * 64)}
    recorded = locked().with_recorded(locked().environment.models[1], "e" * 64)

    assert kinds(found) == [Fetch, Check]
    assert kinds(found, recorded) == [Fetch, Keep]


@pytest.mark.parametrize("found", [Found(5, None), Found(PORTRAIT_BYTES, "0" * 64)])
def test_another_file_in_its_place_is_not_ours_to_delete(found: Found) -> None:
    action = plan_sync(locked(), {PORTRAIT: found})[0]

    assert isinstance(action, Blocked)
    assert "Move it away" in action.reason


def test_a_hash_is_held_against_whoever_says_it() -> None:
    portrait, style = locked().environment.models
    recorded = locked().with_recorded(style, "e" * 64)

    assert judge(locked(), portrait, "d" * 64) == "stated"
    assert judge(locked(), style, "e" * 64) == "first"
    assert judge(recorded, style, "e" * 64) == "recorded"
    with pytest.raises(HashMismatchError, match="the environment states"):
        judge(locked(), portrait, "0" * 64)
    with pytest.raises(HashMismatchError, match="the first sync"):
        judge(recorded, style, "0" * 64)
