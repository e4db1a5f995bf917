"""The queue by itself: order, deletion, history."""

import pytest

from comfy_images.engine.execution.running_node import Interrupt
from comfy_images.engine.host import InterruptedExecutionError
from comfy_images.engine.prompt_queue import PromptQueue
from comfy_images.engine.queue_item import Execution, QueueItem


def _item(number: float, prompt_id: str | None = None) -> QueueItem:
    return QueueItem(number, prompt_id or str(number), {}, {}, [])


def _drained(queue: PromptQueue) -> list[float]:
    numbers: list[float] = []
    while queue.snapshot()[1]:
        item = queue.get()
        assert item is not None
        numbers.append(item.number)
    return numbers


@pytest.mark.parametrize("deleted", range(7))
def test_whatever_is_deleted_the_rest_keeps_its_order(deleted: int) -> None:
    numbers = [0, 1, 3, 4, 2, 5, 6]  # an order that breaks the heap if it is not mended
    queue = PromptQueue(on_change=lambda: None)
    for number in numbers:
        queue.put(_item(number))

    queue.delete(str(deleted))

    assert _drained(queue) == [number for number in range(7) if number != deleted]


def test_of_equal_numbers_the_first_come_is_the_first_served() -> None:
    queue = PromptQueue(on_change=lambda: None)
    for name in "abc":
        queue.put(_item(1, name))

    assert [item.prompt_id for item in queue.snapshot()[1]] == ["a", "b", "c"]
    first = queue.get()
    assert first is not None
    assert first.prompt_id == "a"


def test_only_the_last_ten_thousand_prompts_are_remembered() -> None:
    queue = PromptQueue(on_change=lambda: None)
    for number in range(10_003):
        queue.finish(_item(number), Execution())

    history = queue.history(None, -1)

    assert len(history) == 10_001
    assert next(iter(history)) == "2"


def test_history_pages_count_from_the_oldest_and_default_to_the_last() -> None:
    queue = PromptQueue(on_change=lambda: None)
    for number in range(5):
        queue.finish(_item(number), Execution())

    assert list(queue.history(2, -1)) == ["3", "4"]
    assert list(queue.history(2, 1)) == ["1", "2"]
    assert list(queue.history(None, 4)) == ["4"]
    assert list(queue.history(99, -1)) == ["0", "1", "2", "3", "4"]


def test_every_change_of_the_remaining_number_is_announced() -> None:
    seen: list[int] = []
    queue = PromptQueue(on_change=lambda: seen.append(queue.remaining()))
    item = _item(1)

    queue.put(item)
    queue.get()
    queue.finish(item, Execution())

    assert seen == [1, 1, 0]


def test_an_interruption_that_comes_late_does_not_hit_the_next_prompt() -> None:
    interrupt = Interrupt()
    interrupt.aim("first")

    interrupt.raise_if_aimed_at("second")

    with pytest.raises(InterruptedExecutionError):
        interrupt.raise_if_aimed_at("first")
    interrupt.raise_if_aimed_at("first")
