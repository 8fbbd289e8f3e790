"""Radiometry of a raster by its metadata: STAC items, SAFE XML, GDAL tags, CF attributes, file names."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cocal.archive import SIMULATED
from cocal.errors import InputError
from cocal.scenes.radiometry import QUANTIFICATION, Claim, baseline_offset

SAFE_XML = "MTD_MSIL2A.xml"
SENSED = "DATATAKE_SENSING_START"


@dataclass(frozen=True)
class Facts:
    """Metadata of one acquisition, and the files that hold them."""

    claims: tuple[Claim, ...] = ()
    platform: str | None = None
    files: tuple[Path, ...] = ()
    days: tuple[tuple[str, date], ...] = ()
    """Where a day of sensing is stated, and the day (UTC)."""
    simulated: bool = False

    @property
    def baseline(self) -> str | None:
        return next((c.baseline for c in self.claims if c.baseline is not None), None)

    def __add__(self, other: Facts) -> Facts:
        return Facts(
            tuple(dict.fromkeys(self.claims + other.claims)),
            self.platform or other.platform,
            tuple(dict.fromkeys(self.files + other.files)),
            tuple(dict.fromkeys(self.days + other.days)),
            self.simulated or other.simulated,
        )


def _unreadable(path: Path, err: object) -> InputError:
    return InputError(
        f"metadata file {path}", "metadata of a Sentinel-2 L2A product", str(err), "fix or remove it"
    )


def baseline_claim(text: str, source: str) -> Claim:
    """The claim of a processing baseline written as `N0509`, `0509`, `05.09` or `5.09`.

    A user's own processing (99.xx) states no offset: it depends on what was processed.
    """
    match = re.fullmatch(r"[Nn]?(\d{2})\.?(\d{2})|(\d)\.(\d{2})", text.strip())
    if match is None:
        raise InputError(
            f"processing baseline {text!r} ({source})",
            "N0509, 0509 or 05.09",
            repr(text),
            "fix `baseline:`, the group `baseline` of the pattern, or the metadata",
        )
    major, minor = filter(None, match.groups())
    baseline = f"{int(major):02d}.{minor}"
    name = f"processing baseline {baseline} ({source})"
    return Claim(name, "product", baseline_offset(baseline), QUANTIFICATION, baseline)


def _decimal(value: float | None) -> float | None:
    """`value`, or where it is a float32 the shortest decimal of it: 0.0001, not 0.00009999999747."""
    if value is None:
        return None
    short = np.float32(value)
    return float(str(short)) if float(short) == value else float(value)


def linear_claims(
    source: str, scale: float | None, offset: float | None, stated_scale: float | None
) -> Iterator[Claim]:
    """The claim of value = DN * scale + offset, both in reflectance units; none if both are None.

    The offset becomes DN by this scale; without one by `stated_scale`, else 1.
    """
    scale, offset = _decimal(scale), _decimal(offset)
    if not (scale is None or (math.isfinite(scale) and scale > 0)) or not math.isfinite(offset or 0):
        raise InputError(
            source, "a scale above 0 and a finite offset", f"{scale} and {offset}", "fix the file"
        )
    if scale is not None or offset is not None:
        per_dn = scale or stated_scale or 1.0
        yield Claim(source, "file", None if offset is None else round(offset / per_dn, 6) + 0.0, scale)


def gdal_claims(
    name: str, scale: float, offset: float, tags: Mapping[str, str], stated_scale: float | None
) -> Iterator[Claim]:
    """Claims of a GDAL band's scale and offset (1 and 0 are GDAL's "not set") and its Sentinel-2 tags."""
    own_scale, own_offset = scale if scale != 1 else None, offset if offset != 0 else None
    yield from linear_claims(f"GDAL scale and offset of {name}", own_scale, own_offset, stated_scale)
    if "BOA_ADD_OFFSET" in tags:
        text = tags["BOA_ADD_OFFSET"]
        try:
            yield Claim(f"tag BOA_ADD_OFFSET of {name}", "product", float(text), of_band=True)
        except ValueError as err:
            raise InputError(f"tag BOA_ADD_OFFSET of {name}", "a number", repr(text), "fix the tag") from err
    for key in ("PROCESSING_BASELINE", "s2:processing_baseline"):
        if key in tags:
            yield baseline_claim(tags[key], f"tag {key} of {name}")


def _folders(path: Path, root: Path) -> list[Path]:
    """The folders above a raster, up to `root`."""
    above = list(path.parents)
    return above[: above.index(root) + 1] if root in above else above[:1]


def read_sidecars(path: Path, root: Path, stated_scale: float | None, index: int = 1) -> Facts:
    """Facts of band `index`: of STAC items that name the raster and SAFE XML in folders up to `root`."""
    facts = Facts()
    for folder in _folders(path, root):
        for item in sorted(folder.glob("*.json")):
            facts += _item_facts(item, path, stated_scale, index)
        if (folder / SAFE_XML).is_file():
            facts += _safe_facts(folder / SAFE_XML)
    return facts


def stated_no_data(path: Path, root: Path, index: int = 1) -> tuple[float, ...]:
    """The no-data values that STAC items, in folders up to `root`, state of band `index` of the raster."""
    items = (item for folder in _folders(path, root) for item in sorted(folder.glob("*.json")))
    found = []
    for item in items:
        with _reading(item):
            assets = _assets_of(item, path).values()
            stated = (entry.get("nodata") for asset in assets for entry, _ in _band_entries(asset, index))
            found += [float(value) for value in stated if value is not None]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4096)
def _read_json(path: Path, _modified_ns: int) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise _unreadable(path, err) from err


def _item(path: Path) -> dict[str, Any]:
    """A STAC item; empty if the JSON is none."""
    item = _read_json(path, path.stat().st_mtime_ns)
    return item if isinstance(item, dict) and item.get("type") == "Feature" else {}


def _is_of(href: str, item: Path, raster: Path) -> bool:
    """Whether an asset of an item is the raster: the file of its address where there is one, else by name."""
    if PurePosixPath(href).name != raster.name:
        return False
    target = item.parent / href
    return target.samefile(raster) if target.is_file() else True


def _assets_of(path: Path, raster: Path) -> dict[str, Any]:
    """The assets of the item at `path` that are the raster."""
    assets = _item(path).get("assets", {})
    return {k: a for k, a in assets.items() if _is_of(str(a.get("href", "")), path, raster)}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise InputError where what a STAC item holds is of another type than STAC says."""
    try:
        yield
    except (AttributeError, TypeError, ValueError) as err:
        raise _unreadable(path, err) from err


def _item_facts(path: Path, raster: Path, stated_scale: float | None, index: int) -> Facts:
    """Facts of a STAC item; none if it names another raster."""
    with _reading(path):
        mine = _assets_of(path, raster)
        if not mine:
            return Facts()
        properties = _item(path).get("properties") or {}
        claims = [*asset_claims(path.name, mine, stated_scale, index), *item_claims(path.name, properties)]
        time = properties.get("datetime")
        days = ((f"datetime in {path.name}", _day(time)),) if time else ()
        simulated = properties.get(SIMULATED) is True
        return Facts(tuple(claims), properties.get("platform"), (path,), days, simulated)


def _day(text: str) -> date:
    """The day, UTC, of a time in ISO 8601."""
    time = datetime.fromisoformat(text)
    return (time.astimezone(UTC) if time.tzinfo else time).date()


def _band_entries(asset: Mapping[str, Any], index: int) -> Iterator[tuple[Mapping[str, Any], str]]:
    """What an asset states of band `index`, and the prefix of its fields (raster extension 1; 2 and core)."""
    yield asset, "raster:"
    for name, prefix in (("raster:bands", ""), ("bands", "raster:")):
        entries = asset.get(name, [])
        for entry in entries[index - 1 : index] or entries:
            yield entry, prefix


def asset_claims(
    source: str, assets: Mapping[str, Mapping[str, Any]], stated_scale: float | None, index: int = 1
) -> Iterator[Claim]:
    """Claims of the raster extension (versions 1 and 2) on band `index` of some assets of a STAC item."""
    for key, asset in assets.items():
        for entry, prefix in _band_entries(asset, index):
            name = f"raster:offset and raster:scale of asset {key} in {source}"
            scale, offset = entry.get(f"{prefix}scale"), entry.get(f"{prefix}offset")
            yield from linear_claims(name, scale, offset, stated_scale)


def item_claims(source: str, properties: Mapping[str, Any]) -> Iterator[Claim]:
    """Claims of the properties of a STAC item: processing baseline, flag of Earth Search."""
    baseline, claim = properties.get("s2:processing_baseline"), None
    if baseline is not None:
        claim = baseline_claim(str(baseline), f"s2:processing_baseline in {source}")
        yield claim
    applied = properties.get("earthsearch:boa_offset_applied")
    if applied is True:
        yield Claim(f"earthsearch:boa_offset_applied true in {source}", "file", 0.0)
    elif applied is False and claim is not None:
        name = f"earthsearch:boa_offset_applied false, baseline {claim.baseline} in {source}"
        yield Claim(name, "file", claim.offset)


def _safe_facts(path: Path) -> Facts:
    """Facts of a SAFE product's MTD_MSIL2A.xml: baseline, BOA_ADD_OFFSET, quantification, spacecraft."""
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - expat of 3.11 limits entity expansion
    except (OSError, ET.ParseError) as err:
        raise _unreadable(path, err) from err
    texts: dict[str, list[str]] = {}
    for element in root.iter():
        texts.setdefault(element.tag.rsplit("}", 1)[-1], []).append((element.text or "").strip())
    claims = [baseline_claim(t, f"in {path.name}") for t in texts.get("PROCESSING_BASELINE", [])]
    try:
        offsets = sorted({float(text) for text in texts.get("BOA_ADD_OFFSET", [])})
        scales = sorted({1 / float(text) for text in texts.get("BOA_QUANTIFICATION_VALUE", [])})
    except (ValueError, ZeroDivisionError) as err:
        raise _unreadable(path, err) from err
    claims += [Claim(f"BOA_ADD_OFFSET in {path.name}", "product", offset=value) for value in offsets]
    claims += [Claim(f"BOA_QUANTIFICATION_VALUE in {path.name}", "product", scale=v) for v in scales]
    craft: Sequence[str] = texts.get("SPACECRAFT_NAME", [])
    with _reading(path):
        days = tuple((f"{SENSED} in {path.name}", _day(text)) for text in texts.get(SENSED, []))
    return Facts(tuple(claims), craft[0].lower() if craft else None, (path,), days)
