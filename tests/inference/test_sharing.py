"""Blocks shared out to workers, and work done ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from fusion_mapper.inference.ahead import worked_ahead
from fusion_mapper.inference.sharing import SharedWork


def taken(work: SharedWork, *workers: int) -> list[int | None]:
    return [work.take(worker) for worker in workers]


def test_each_worker_takes_neighbours_in_order():
    work = SharedWork([3, 4, 5, 6, 7, 8], 2)
    assert taken(work, 0, 1, 0, 1, 0, 1, 0) == [3, 6, 4, 7, 5, 8, None]


def test_who_is_done_takes_the_last_of_who_has_most():
    work = SharedWork(range(8), 2)
    assert taken(work, 0, 0, 0, 0, 0, 0) == [0, 1, 2, 3, 7, 6]
    assert taken(work, 1, 1, 1) == [4, 5, None]


def test_a_strict_order_is_kept_whoever_asks():
    work = SharedWork([5, 1, 9, 2], 3, strictly=True)
    assert taken(work, 2, 0, 1, 2, 0) == [5, 1, 9, 2, None]


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_every_block_is_taken_once(workers):
    work = SharedWork(range(5), workers)
    found = [index for turn in range(9) if (index := work.take(turn % workers)) is not None]
    assert sorted(found) == list(range(5))


def test_answers_come_in_order_whichever_is_ready_first():
    second = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second.wait(60)
        if item == 1:
            second.set()
        return item * item

    assert list(worked_ahead(work, range(5), 2)) == [0, 1, 4, 9, 16]


def test_no_more_is_taken_than_is_worked_on_and_one_to_spare():
    begun = []

    def items() -> Iterator[int]:
        for item in range(10):
            begun.append(item)
            yield item

    answers = worked_ahead(lambda item: item, items(), 2)
    assert next(answers) == 0
    assert begun == [0, 1, 2]


def test_an_error_is_raised_in_its_place_and_ends_the_work():
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("the third")
        return item

    answers = worked_ahead(work, range(100), 3)
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(answers)
