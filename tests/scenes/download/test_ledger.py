"""What requests cost, what is written down of it, and how many may be under way."""

import json
import multiprocessing
import os
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.errors import DownloadStoppedError, InputError
from cocal.scenes.download.gate import retry_after
from cocal.scenes.download.ledger import Ledger
from cocal.scenes.download.limiter import Limiter
from cocal.scenes.download.settings import BudgetSettings, LimitSettings
from cocal.scenes.download.units import Cost, catalogue_units, process_units

ORTHORECTIFICATION = 2


def test_the_formula_gives_the_worked_examples_of_the_documentation():
    """Copernicus Data Space, Processing Unit definition, "Request cost calculation examples"."""
    change = process_units(1024, 1024, 4, samples=2, float32=True) * ORTHORECTIFICATION
    assert round(change, 3) == 42.667
    assert round(process_units(20, 20, 2), 4) == 0.0067


def test_a_unit_is_a_unit_and_nothing_is_cheaper_than_the_least():
    assert process_units(512, 512, 3) == 1
    assert process_units(1, 1, 1) == 0.005
    assert process_units(2500, 2500, 12) == pytest.approx(6_250_000 / 262_144 * 4)
    assert catalogue_units(1_000_000, 1) == 1
    assert catalogue_units(381_000, 2) == pytest.approx(0.762)
    assert catalogue_units(100, 1) == 0.01
    assert catalogue_units(5_000_000, 12) == 1


def ledger(tmp_path, **budget):
    return Ledger(tmp_path, BudgetSettings(**budget), now=november)


def november():
    return datetime(2026, 11, 21, tzinfo=UTC)


def december():
    return datetime(2026, 12, 1, tzinfo=UTC)


def test_a_reservation_counts_until_it_is_settled(tmp_path):
    book = ledger(tmp_path, processing_units=10)
    first = book.reserve("a", Cost(1, 4.0, 100))
    second = book.reserve("b", Cost(1, 4.0, 100))
    assert book.spent() == Cost(2, 8.0, 200)
    book.settle(first, Cost(1, 3.0, 50))
    book.settle(second, None)
    assert ledger(tmp_path, processing_units=10).spent() == Cost(2, 7.0, 150)


def test_nothing_is_reserved_that_the_budget_does_not_cover_and_the_next_month_is_another(tmp_path):
    book = ledger(tmp_path, processing_units=5, requests=100)
    book.reserve("a", Cost(1, 4.0))
    with pytest.raises(DownloadStoppedError, match="2026-11 is used up"):
        book.reserve("b", Cost(1, 1.5))
    assert book.spent() == Cost(1, 4.0)
    Ledger(tmp_path, book.budget, now=december).reserve("b", Cost(1, 1.5))
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == [
        "ledger-2026-11.jsonl",
        "ledger-2026-12.jsonl",
    ]


def test_a_line_cut_short_by_a_kill_is_dropped_and_a_damaged_one_is_refused(tmp_path):
    book = ledger(tmp_path, requests=10)
    book.reserve("a", Cost(1, 1.0))
    with book.path.open("a") as file:
        file.write('{"id": "x", "requests": 1, "un')
    again = ledger(tmp_path, requests=10)
    again.reserve("b", Cost(1, 1.0))
    assert [json.loads(line)["what"] for line in book.path.read_text().splitlines()] == ["a", "b"]
    with book.path.open("a") as file:
        file.write("rot\n")
    with pytest.raises(InputError, match="damaged"):
        ledger(tmp_path, requests=10).spent()


def _reserve(folder, count):
    book = Ledger(folder, BudgetSettings(requests=30))
    taken = 0
    for _ in range(count):
        try:
            book.settle(book.reserve("x", Cost(1, 0.5, 10)), Cost(1, 0.25, 5))
            taken += 1
        except DownloadStoppedError:
            pass
    os._exit(taken)


def test_processes_share_one_ledger(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_reserve, args=(tmp_path, 15)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(worker.exitcode for worker in workers) == 30
    assert Ledger(tmp_path, BudgetSettings(requests=30)).spent() == Cost(30, 7.5, 150)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_the_ledger_never_tells_less_than_was_spent(tmp_path_factory, steps):
    """Each step reserves, and settles what is at most reserved or, if 0, is killed before it can."""
    book, spent = ledger(tmp_path_factory.mktemp("book"), processing_units=1000), 0
    for reserved, settled in steps:
        entry = book.reserve("x", Cost(1, float(reserved)))
        spent += min(reserved, settled)
        if settled:
            book.settle(entry, Cost(1, float(min(reserved, settled))))
        assert book.spent().processing_units >= spent


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_no_window_of_a_minute_holds_more_requests_than_allowed(tmp_path):
    clock = Clock()
    limiter = Limiter(tmp_path, LimitSettings(in_flight=2, per_minute=5), 100, clock=clock, sleep=clock.sleep)
    begun = []
    for _ in range(17):
        with limiter.permit():
            begun.append(clock.now)
            clock.now += 1.7
    assert max(sum(first <= other < first + 60 for other in begun) for first in begun) == 5
    assert begun[-1] - begun[0] < 4 * 62


def test_no_window_of_a_minute_holds_more_units_than_allowed(tmp_path):
    clock = Clock()
    limits = LimitSettings(in_flight=9, per_minute=50, units_per_minute=100)
    limiter = Limiter(tmp_path, limits, 100, clock=clock, sleep=clock.sleep)
    begun = []
    for _ in range(7):
        with limiter.permit(37.0):
            begun.append(clock.now)
            clock.now += 0.5
    assert max(sum(first <= other < first + 60 for other in begun) for first in begun) == 2
    assert begun[-1] - begun[0] < 4 * 62


def test_a_pause_holds_for_every_worker(tmp_path):
    clock = Clock()
    one, other = (
        Limiter(tmp_path, LimitSettings(in_flight=2, per_minute=50), 100, clock=clock, sleep=clock.sleep)
        for _ in range(2)
    )
    one.pause(30)
    with other.permit():
        assert clock.now >= 1030


def _hold(folder, seconds):
    with Limiter(folder, LimitSettings(in_flight=1), 100).permit():
        time.sleep(seconds)


def test_the_permit_of_a_killed_worker_is_given_back(tmp_path):
    worker = multiprocessing.get_context("fork").Process(target=_hold, args=(tmp_path, 60))
    worker.start()
    while (
        not (tmp_path / "limiter.json").exists() or 'leases": {}' in (tmp_path / "limiter.json").read_text()
    ):
        time.sleep(0.02)
    worker.kill()
    worker.join()
    began = time.monotonic()
    with Limiter(tmp_path, LimitSettings(in_flight=1), 100).permit():
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "tried", "seconds"),
    [
        (None, None, None), ("1500", None, 1.5), ("1500", "1500", 1.5), ("5", None, 0.005), ("5", "5", 5.0),
        ("50", "50", 20.0), ("1.5", None, 1.5), ("0", None, 0.0), ("-3", None, None), ("soon", None, None),
        ("nan", None, None),
        ("Sat, 21 Nov 2026 00:00:07 GMT", None, 7.0), ("Sat, 21 Nov 2026 00:00:07", None, 7.0),
        ("Fri, 20 Nov 2026 00:00:00 GMT", None, 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_it_may_be_meant(text, tried, seconds):
    assert retry_after(text, tried, 20.0, november()) == seconds
