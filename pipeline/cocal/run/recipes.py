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
from cocal.errors import ClusterError, CocalError, DamagedError, InputError, UsageError
from cocal.run.execute import Call, Executor, Job, Outcome, attempt, gathered, outcome_of
from cocal.run.observers import Ended, Failed, Made, Observe, Part, Reused, SetAside, Started
from cocal.store import MANIFEST, LocalStore, address

LISTED = 6
"""Units that a message names."""

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
    DamagedError
        A unit that others were to be made from is damaged; what could be made is kept.
    """
    observe(Started(batch.stage, len(batch.recipes)))
    try:
        with _held(batch.store):
            refs = _made(batch, home, executor, observe)
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


def _made(batch: Batch, home: LocalStore, executor: Executor, observe: Observe) -> tuple[Ref, ...]:
    store = batch.store or home
    refs = _reused(batch.recipes, store, observe)
    due = {recipe.unit: recipe for recipe in batch.recipes if recipe.unit not in refs}
    refused: list[CocalError] = []
    damaged: dict[str, DamagedError] = {}

    def begun() -> Iterator[Job]:
        for recipe in due.values():
            if refused:
                return
            yield _job(recipe, store, observe)

    try:
        for outcome in executor.outcomes(begun()):
            recipe = due[outcome.unit]
            ended = _committed(recipe, store, outcome) if recipe.where == "client" else outcome
            error = ended.error
            if error is None:
                refs[recipe.unit] = Ref(store.home(recipe.unit), recipe.address)
                observe(Made(recipe.unit, recipe.address, ended.seconds, store.notes(recipe.unit)))
                continue
            if isinstance(error, DamagedError):
                damaged[error.mark] = error
                continue
            observe(Failed(recipe.unit, ended.reason))
            if isinstance(error, UsageError) or batch.on_failure == "stop":
                refused.append(error)
    except ClusterError as err:
        left = [unit for unit in due if unit not in refs]
        listed = ", ".join(left[:LISTED]) + (f" and {len(left) - LISTED} more" if len(left) > LISTED else "")
        state = f"stage {batch.stage}: {len(refs)} of {len(batch.recipes)} units done, left: {listed}"
        raise ClusterError(err.what, err.expected, f"{err.found}; {state}", err.remedy) from err
    if refused:
        raise refused[0]
    if damaged:
        first, *others = damaged.values()
        for other in others:
            set_aside(other, home, observe)
        raise first
    return tuple(refs.get(recipe.unit, FAILED) for recipe in batch.recipes)


def _reused(recipes: Sequence[Recipe], store: LocalStore, observe: Observe) -> dict[str, Ref]:
    """The committed units; those of them that are damaged are set aside, to be made anew."""
    refs = {}
    for recipe in recipes:
        ref = found(recipe, store)
        if ref is not None:
            refs[recipe.unit] = ref
            observe(Reused(recipe.unit, ref.address, store.notes(recipe.unit)))
        elif damage := store.damage(recipe.unit, recipe.address):
            observe(SetAside(recipe.unit, damage, store.set_aside(recipe.unit)))
    return refs


def set_aside(error: DamagedError, home: LocalStore, observe: Observe) -> None:
    """Move the damaged unit aside: one of `home`, the store of the run, or a scene of the archive.

    Raises
    ------
    DamagedError
        It has no manifest any more, or cannot be moved.
    """
    mark = Path(error.mark)
    named = mark.name != MANIFEST and mark.parents[1] != home.root  # of a store within the run's
    own = mark.is_relative_to(home.root) and not named
    store = home if own else LocalStore(mark.parents[1])
    unit = mark.parent.relative_to(store.root).as_posix() if mark.name == MANIFEST else f":{mark.stem}"
    if not mark.exists():
        raise error
    try:
        with _held(None if own else store):
            folder = store.set_aside(unit)
    except OSError as err:
        raise error from err
    observe(SetAside(unit, error.found, folder))


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
    """Write a unit's files into a staging folder and publish them, the manifest last.

    Raises
    ------
    InputError
        A file that it was made of has changed since its address was made.
    """
    with store.commit(unit, inputs) as folder:
        finish(folder, results, task)
        if content(task) != inputs["task"]:
            raise InputError(
                f"files of {unit} changed while they were read", "the same files", "", "run again"
            )


def _committed(recipe: Recipe, store: LocalStore, outcome: Outcome) -> Outcome:
    """The outcome of a unit that is written in this process from results that came back."""
    if outcome.error is not None:
        return outcome
    began = time.monotonic() - outcome.seconds
    return outcome_of(
        recipe.unit, attempt(Call(commit, _commit_args(recipe, store)), (outcome.result,)), began
    )
