"""Results come in the order of the tasks, however many processes there are."""

from __future__ import annotations

import operator

import pytest

from cocal.simulate.output import in_order


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    assert list(in_order(operator.neg, range(9), workers)) == [0, -1, -2, -3, -4, -5, -6, -7, -8]


def test_tasks_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def tasks() -> object:
        for k in range(100):
            taken.append(k)
            yield k

    results = in_order(operator.neg, tasks(), 2)
    assert next(results) == 0
    assert len(taken) <= 5
    results.close()


def test_an_error_of_a_task_is_raised() -> None:
    with pytest.raises(TypeError, match="bad operand"):
        list(in_order(operator.neg, [1, "two"], 2))
