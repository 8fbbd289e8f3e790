"""Real runs under a tracer: which definitions of the package run while a unit is made."""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from cocal.assets import PACKAGE
from cocal.code import closure_of, code_of, installed
from cocal.definitions import NOT_FOLLOWED

DAYS = ("20240105", "20240210", "20240315", "20240405", "20240520", "20240610", "20240705")
STATISTICS = (
    "mean", "std", "amplitude", "lowest_day", "min", "median", "max", "falls", "trend", "h1_cos", "h1_sin",
    "h2_cos",
    "h2_sin", "p10",
)  # fmt: skip


@cache
def definitions(path: str) -> list[tuple[int, int, frozenset[str]]]:
    """(first line, last line, the names that it defines) of every statement of a module."""
    name = ".".join(("cocal", *Path(path).with_suffix("").parts)).removesuffix(".__init__")
    module = installed().module(name)
    assert module is not None
    lines: dict[tuple[int, int], set[str]] = defaultdict(set)
    for own, statements in module.defined.items():
        for statement in statements:
            first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
            lines[first, statement.end_lineno or first].add(f"{name}.{own}")
    return [(first, last, frozenset(names)) for (first, last), names in lines.items()]


def definition_of(code: CodeType) -> frozenset[str]:
    """The definitions that a piece of running code belongs to; none outside the package."""
    file = Path(code.co_filename)
    if not file.is_relative_to(PACKAGE) or file.suffix != ".py":
        return frozenset()
    for first, last, names in definitions(file.relative_to(PACKAGE).as_posix()):
        if first <= code.co_firstlineno <= last:
            return names
    return frozenset()


class Tracer:
    """Notes which definitions run while the functions of a recipe do; their own address tells which functions
    those are.
    """

    def __init__(self) -> None:
        self.closures: dict[CodeType, tuple[str, frozenset[str]]] = {}
        self.executed: dict[str, set[CodeType]] = defaultdict(set)
        self.within: tuple[str, FrameType] | None = None
        self.importing = 0

    def code_of(self, *functions: Callable[..., Any]) -> str:
        kind = ", ".join(f"{f.__module__}.{f.__qualname__}" for f in functions)
        for function in functions:
            self.closures[function.__code__] = (kind, closure_of(*functions))
        return code_of(*functions)

    def __call__(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        """Called for every frame that begins, and for what happens in a frame for which it returned
        itself.
        """
        code, root = frame.f_code, self.within is None and frame.f_code in self.closures
        module = code.co_name == "<module>"
        if event == "call":
            if root:
                self.within = self.closures[code][0], frame
            self.importing += module
            if self.within is not None and not self.importing:
                self.executed[self.within[0]].add(code)
            return self if root or module else None
        if event == "return":
            self.importing -= module
            if self.within is not None and frame is self.within[1]:
                self.within = None
        return self

    def outside(self) -> dict[str, set[str]]:
        """By kind of unit, what was executed and is not in its closure."""
        closures = dict(self.closures.values())
        found: dict[str, set[str]] = defaultdict(set)
        for kind, codes in self.executed.items():
            for code in codes:
                names = definition_of(code)
                if names and not names & closures[kind] and not min(names).startswith(NOT_FOLLOWED):
                    found[kind].add(min(names))
        return dict(found)


@contextmanager
def tracing(tracer: Tracer) -> Iterator[None]:
    """Trace this process, and the threads that begin within."""
    before = sys.gettrace()
    threading.settrace(tracer)
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(before)
        threading.settrace(None)  # type: ignore[arg-type]


def everything(content: dict[str, Any]) -> None:
    """All statistics, fill rules and rules of the map."""
    content["index"] |= {
        "windows": "monthly", "composite": "p25",
        "features": [*(f"NDVI.{name}" for name in STATISTICS), "red@*", "swir16.mean", "nir.trend",
            "elevation", "slope"],
        "fill": {"red@*": "median", "swir16.*": "nearest", "nir.*": "linear", "*": "none"},
    }  # fmt: skip
    content["periods"][0]["end"] = "2024-07-31"
    content["classify"] |= {
        "prior": {"elsewhere": 0.2}, "threshold": 0.45, "applicability": True, "minimum_unit": {"pixels": 5},
    }  # fmt: skip
    content["keep"] = ["features"]


def boosting(content: dict[str, Any]) -> None:
    content["index"] |= {"mask": "none", "composite": "mean"}
    content["train"]["model"] |= {
        "estimator": "hist_gradient_boosting", "parameters": {"max_iter": 5}, "missing": "native",
        "null_index": "best",
    }  # fmt: skip
    content["classify"]["missing"] = "native"


def perceptron(content: dict[str, Any]) -> None:
    content["train"]["model"] |= {
        "estimator": "perceptron",
        "parameters": {"hidden_layer_sizes": [8], "max_iter": 50},
    }


def distilled(content: dict[str, Any]) -> None:
    content["train"]["model"] |= {"estimator": "extra_trees", "distil": True}


def designed(content: dict[str, Any]) -> None:
    """A sample to be drawn: strata by class and by nearness, sizes for an interval, points spread over the
    ground.
    """
    content["design"] = {
        "unobserved": "left_out", "by_region": True, "allocation": "rare", "minimum": 5, "draw": "balanced",
        "strata": [{"stratum": "coca", "classes": ["coca"]},
                   {"stratum": "near", "near": {"metres": 60, "classes": ["coca"]}}, {"stratum": "rest"}],
        "small": {"below_pixels": 30, "into": "rest"}, "reserve": 0.2, "seed": 5, "interval": "gamma",
        "size": {"half_width": 0.3, "per": "region"}, "confidence": 0.95,
        "expected": {"source": "stated", "share": {"coca": 0.8, "near": 0.05, "rest": 0.01}},
    }  # fmt: skip
