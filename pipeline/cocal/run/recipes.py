"""How every output of a run is made: recipes in batches, found, reused, worked, committed, reported.

A stage is a generator of batches: `refs = yield Batch("classify", recipes)`. `make` gives it what was made;
`planning.plan` drives the same generator without working.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from cocal.code import code_of
from cocal.content import FAILED, Ref, content
from cocal.errors import CocalError, UsageError
from cocal.run.execute import Call, Executor, Job, Outcome, attempt, gathered, outcome_of
from cocal.run.observers import Ended, Failed, Made, Observe, Part, Reused, Started
from cocal.store import LocalStore, address

Finish = Callable[[Path, list[Any], Any], None]
"""(folder, results, task): writes the unit's files into `folder`. It never finds, commits or logs."""


@dataclass(frozen=True)
class Recipe:
    """One output as a value: what makes it, and how.

    `name` is the unit's path below the store; `{address}` in it stands for the first digits of the address.
    `task` is all that the result depends on, and all data that `work` and `finish` get. `over` is how the
    work is
    cut, or a function of the task that returns that: one call `work(piece, task)` per piece. It changes no
    result.
    """

    name: str
    task: Any
    finish: Finish
    work: Callable[[Any, Any], Any] | None = None
    over: Sequence[Any] | Callable[[Any], Sequence[Any]] = ()
    where: Literal["worker", "client"] = "worker"

    @property
    def inputs(self) -> dict[str, Any]:
        """What the address is made of: the content of the task and the code of work and finish.

        Not kept: a run has thousands of recipes, and needs the inputs of those that are made only.
        """
        functions = (self.finish,) if self.work is None else (self.work, self.finish)
        return {"task": content(self.task), "code": code_of(*functions)}

    @cached_property
    def address(self) -> str:
        return address(self.inputs)

    @property
    def unit(self) -> str:
        return self.name.format(address=self.address[:12])

    def pieces(self) -> Sequence[Any]:
        """How the work is cut; nothing where it is not."""
        return self.over(self.task) if callable(self.over) else self.over


@dataclass(frozen=True)
class Batch:
    """Recipes that may be made at the same time. `store` is None for the store of the run.

    `on_failure`: `list` goes on without what failed; `stop` ends the run. `after` is called when all was
    tried.
    """

    stage: str
    recipes: tuple[Recipe, ...]
    on_failure: Literal["list", "stop"] = "list"
    store: LocalStore | None = None
    after: Callable[[], None] | None = None


Stage = Generator[Batch, tuple[Ref, ...], None]


def found(recipe: Recipe, store: LocalStore) -> Ref | None:
    """The committed unit of a recipe; None where there is none of that address or its files are damaged."""
    if store.find(recipe.unit, recipe.address) is None:
        return None
    return Ref(store.home(recipe.unit), recipe.address)


def make(batch: Batch, home: LocalStore, executor: Executor, observe: Observe) -> tuple[Ref, ...]:
    """The units of a batch in its order, made or reused; `FAILED` for those that failed.

    Raises
    ------
    UsageError
        What the user must fix. What is under way then is finished and kept, no more is begun.
    CocalError
        A unit failed of a batch that stops at failures.
    """
    observe(Started(batch.stage, len(batch.recipes)))
    store = batch.store or home
    try:
        with _held(batch.store):
            refs = _made(batch, store, executor, observe)
            if batch.after is not None:
                batch.after()
    finally:
        observe(Ended(batch.stage))
    return refs


@contextmanager
def _held(store: LocalStore | None) -> Iterator[None]:
    """The store locked and swept, where it is not that of the run, which is locked already."""
    if store is None:
        yield
        return
    with store.locked():
        store.sweep()
        yield


def _made(batch: Batch, store: LocalStore, executor: Executor, observe: Observe) -> tuple[Ref, ...]:
    refs, due = {}, {}
    for recipe in batch.recipes:
        ref = found(recipe, store)
        if ref is None:
            due[recipe.unit] = recipe
        else:
            refs[recipe.unit] = ref
            observe(Reused(recipe.unit, ref.address))
    refused: list[CocalError] = []

    def begun() -> Iterator[Job]:
        for recipe in due.values():
            if refused:
                return
            yield _job(recipe, store, observe)

    for outcome in executor.outcomes(begun()):
        recipe = due[outcome.unit]
        ended = _committed(recipe, store, outcome) if recipe.where == "client" else outcome
        error = ended.error
        if error is None:
            refs[recipe.unit] = Ref(store.home(recipe.unit), recipe.address)
            observe(Made(recipe.unit, recipe.address, ended.seconds))
            continue
        observe(Failed(recipe.unit, ended.reason))
        if isinstance(error, UsageError) or batch.on_failure == "stop":
            refused.append(error)
    if refused:
        raise refused[0]
    return tuple(refs.get(recipe.unit, FAILED) for recipe in batch.recipes)


def _job(recipe: Recipe, store: LocalStore, observe: Observe) -> Job:
    pieces = recipe.pieces() if recipe.work is not None else ()
    parts = tuple(Call(recipe.work, (piece,)) for piece in pieces if recipe.work is not None)

    def part(done: int) -> None:
        observe(Part(recipe.unit, done, len(parts)))

    finish = Call(gathered) if recipe.where == "client" else Call(commit, _commit_args(recipe, store))
    return Job(recipe.unit, parts, finish, recipe.task, part if len(parts) > 1 else None)


def _commit_args(recipe: Recipe, store: LocalStore) -> tuple[Any, ...]:
    return recipe.unit, recipe.inputs, recipe.finish, recipe.task, store


def commit(
    results: list[Any], unit: str, inputs: dict[str, Any], finish: Finish, task: Any, store: LocalStore
) -> None:
    """Write a unit's files into a staging folder and publish them, the manifest last."""
    with store.commit(unit, inputs) as folder:
        finish(folder, results, task)


def _committed(recipe: Recipe, store: LocalStore, outcome: Outcome) -> Outcome:
    """The outcome of a unit that is written in this process from results that came back."""
    if outcome.error is not None:
        return outcome
    began = time.monotonic() - outcome.seconds
    return outcome_of(
        recipe.unit, attempt(Call(commit, _commit_args(recipe, store)), (outcome.result,)), began
    )
