"""One download killed again and again with SIGKILL, beside one that nobody disturbs."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocal.archive import scene_store
from cocal.config import read_config
from cocal.scenes.download import make_gate
from cocal.store import Manifest
from tests.support.services.hub import PROCESS, HubStandIn
from tests.support.services.zygote import Zygote


@dataclass(frozen=True)
class Toll:
    """What the kills cost."""

    kills: int
    inside: int
    """Kills that hit while something was still missing."""
    requests: int
    committed: int


def files_of(archive: Path) -> dict[str, bytes]:
    """Every file of an archive but locks."""
    return {
        str(path.relative_to(archive)): path.read_bytes()
        for path in archive.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def committed(config: Path) -> dict[tuple[Any, ...], str]:
    """(bounds, day) of what is committed: its unit."""
    store = scene_store(read_config(config).archive)
    found = {}
    for mark in store.root.glob("*/manifest.json"):
        manifest = Manifest.read(mark)
        if manifest is not None:
            _, left, top, width, height, size = manifest.inputs["window"]
            bounds = (left, top - height * size, left + width * size, top)
            found[bounds, manifest.inputs["day"], size] = mark.parent.name
    return found


def asked_for(about: dict[str, Any]) -> tuple[Any, ...]:
    """(bounds, day, pixel size) of a process request."""
    bounds = tuple(round(v) for v in about["input"]["bounds"]["bbox"])
    day = about["input"]["data"][0]["dataFilter"]["timeRange"]["from"][:10]
    return bounds, day, (bounds[2] - bounds[0]) // about["output"]["width"]


def kill_and_compare(
    hub: HubStandIn,
    calm: Path,
    torn: Path,
    *,
    kills: int,
    ahead: int,
    seed: int,
    log: Path,
    say: Callable[[str], None] = print,
) -> Toll:
    """Download `calm` undisturbed, `torn` with kills; raise AssertionError where they differ in any byte.

    Each process is killed some random time after it has begun, or after one of its first `ahead` requests.
    """
    rng, gate = random.Random(seed), make_gate(read_config(torn).download)
    budget, inside, before = read_config(torn).download.budget, 0, 0.0
    with Zygote(log) as zygote:
        zygote.start(calm)
        assert zygote.wait() == 0, log.read_text()[-2000:]
        needed = len(committed(calm))
        undisturbed = hub.count(PROCESS)
        hub.log.clear()
        before = hub.units
        for number in range(kills):
            kept, seen = committed(torn), len(hub.log)
            inside += len(kept) < needed
            process, arrived = zygote.start(torn), hub.count(PROCESS)
            give_up = time.monotonic() + 20
            if rng.random() < 0.8:
                wanted = arrived + rng.randint(0, ahead)
                while hub.count(PROCESS) < wanted and time.monotonic() < give_up and _running(process):
                    time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.25))
            os.kill(process, signal.SIGKILL)
            zygote.wait()
            _check(hub, seen, kept, gate, before, budget.processing_units)
            say(f"kill {number + 1}: {len(committed(torn))} of {needed} committed")
        kept, seen = committed(torn), len(hub.log)
        zygote.start(torn)
        assert zygote.wait() == 0, log.read_text()[-2000:]
        _check(hub, seen, kept, gate, before, budget.processing_units)
    one, other = (files_of(read_config(path).archive) for path in (calm, torn))
    different = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    assert not different, f"{len(different)} files differ: {different[:5]}"
    assert hub.count(PROCESS) <= undisturbed + kills
    return Toll(kills, inside, hub.count(PROCESS), needed)


def _running(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as handle:
            return handle.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _check(
    hub: HubStandIn, seen: int, kept: dict[Any, str], gate: Any, before: float, budget: float | None
) -> None:
    """No request for what was committed before; the ledger knows all that was charged, and less than
    allowed.
    """
    time.sleep(0.05)
    for asked in hub.log[seen:]:
        if asked.endpoint == PROCESS and asked.about is not None:
            assert asked_for(asked.about) not in kept, f"{kept[asked_for(asked.about)]} was asked for again"
    charged, known = hub.units - before, gate.ledger.spent().processing_units
    assert known >= charged - 1e-9, f"the ledger knows {known}, the service charged {charged}"
    assert budget is None or known <= budget, f"{known} of {budget}"
