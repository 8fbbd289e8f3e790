"""Radiometry, decided once: offset and scale of each item, and a check of the offset against the data.

    reflectance = (DN + offset) * scale

The offset comes from metadata or from the user, never from the sensing date: Collection-1 reprocessings
carry the offset of baseline 04.00 on scenes of any year. The check uses pixels only, no metadata.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cocal.contracts import BANDS, IMPLAUSIBLE_SHARE, NO_DATA, REFLECTANCE
from cocal.errors import OffsetError

OFFSET_BASELINE = (4, 0)
"""First baseline whose L2A products carry BOA_ADD_OFFSET = -1000 (Sentinel-2 Products Specification
Document, S2-PDGS-TAS-DI-PSD issue 14.9, BOA_ADD_OFFSET; in force since 25 January 2022)."""
OWN_PROCESSING = 99
"""Major number of the baseline of a user's own Sen2Cor; with or without the offset, as its input was."""

BASELINE_OFFSET_DN = -1000.0
QUANTIFICATION = 1e-4
"""Reflectance per DN of every Sentinel-2 L2A product (BOA_QUANTIFICATION_VALUE 10000, same document)."""

STORED_PER_REFLECTANCE = 10_000

SAMPLE_PX = 1_000_000
"""About so many pixels per band, evenly spread, are given to `check_offset`."""

FLOOR_PERCENT = 0.1
NEGATIVE, NEGATIVE_SHARE = -0.02, 0.10
LEFT_IN, VISIBLE_TOP, FLAT, SWIR_TOP = 0.097, 0.135, 0.010, 0.110
"""Thresholds of `check_offset`, in reflectance; docs/radiometry.md gives their physics and margins."""

_VISIBLE, _SWIR = ("blue", "green", "red"), ("swir16", "swir22")

DARK, DARK_PERCENT, FEWEST = 0.01, 90, 100
"""A scene is too dark if 90 % of each band lie below 0.01; fewer values than 100 are not judged."""
DTYPE_TOP = 0.5
"""The largest integer of a band stands for more reflectance than this."""

OFFSET_REMEDY = (
    "state `offset:` in the import's settings: -1000 for Sentinel-2 L2A of baseline 04.00 and later as "
    "delivered, 0 for older baselines and for copies with the offset removed"
)
SCALE_REMEDY = "state `scale:` in the import's settings: 0.0001 for Sentinel-2, 1 for plain reflectance"


@dataclass(frozen=True)
class Claim:
    """What one piece of metadata states: of the raster at hand ("file"), or of its product."""

    source: str
    about: Literal["file", "product"]
    offset: float | None = None
    scale: float | None = None
    baseline: str | None = None
    of_band: bool = False
    """Whether it is stated of one band of the file."""


def baseline_offset(baseline: str) -> float | None:
    """The offset, DN, that products of a processing baseline (`"05.09"`) came with; None if unknown."""
    major, minor = baseline.split(".")
    if int(major) == OWN_PROCESSING:
        return None
    return BASELINE_OFFSET_DN if (int(major), int(minor)) >= OFFSET_BASELINE else 0.0


def _decide(metadata: Sequence[Claim], field: str, stated: float | None, remedy: str) -> tuple[float, str]:
    """(value, its sources). Claims about the file at hand count where there are any, else the product's."""
    known = [c for c in metadata if getattr(c, field) is not None]
    relevant = [c for c in known if c.about == "file"] or known
    claims = {c.source: float(getattr(c, field)) for c in relevant}
    values = sorted(set(claims.values()))
    listed = "; ".join(f"{source}: {value:g}" for source, value in claims.items())
    if stated is None and not values:
        raise OffsetError(f"the radiometric {field} is unknown", "metadata that state it", "none", remedy)
    if stated is None and len(values) > 1:
        raise OffsetError(f"metadata contradict each other on the {field}", "one value", listed, remedy)
    if stated is not None and values and float(stated) not in values:
        raise OffsetError(
            f"the stated {field} and the metadata disagree",
            f"`{field}:` as in the metadata, or fixed metadata",
            f"`{field}: {stated:g}` in the configuration; {listed}",
            f"leave `{field}:` out if the metadata are right",
        )
    if stated is None:
        return values[0], ", ".join(claims)
    agreeing = [source for source, value in claims.items() if value == float(stated)]
    return float(stated), ", ".join(["stated in the configuration", *agreeing])


def decide_offset(metadata: Sequence[Claim], stated: float | None) -> tuple[float, str]:
    """(offset in DN, its sources), where reflectance = (DN + offset) * scale.

    Claims about the file at hand (`raster:offset`, `earthsearch:boa_offset_applied`, GDAL or CF offsets)
    outrank those about the product it was made from (`s2:processing_baseline`, BOA_ADD_OFFSET).

    Parameters
    ----------
    metadata
        Claims whose `offset` is None do not count.
    stated
        `offset:` of the configuration, DN; None if not stated.

    Raises
    ------
    OffsetError
        The offset is unknown; the metadata contradict each other and the configuration does not state it; or
        the configuration and the metadata disagree.

    Examples
    --------
    >>> decide_offset([Claim("BOA_ADD_OFFSET", "product", -1000), Claim("raster:offset", "file", 0)], None)
    (0.0, 'raster:offset')
    """
    return _decide(metadata, "offset", stated, OFFSET_REMEDY)


def decide_scale(metadata: Sequence[Claim], stated: float | None) -> float:
    """The scale, reflectance per DN, by the rules of `decide_offset`."""
    return _decide(metadata, "scale", stated, SCALE_REMEDY)[0]


def sample_step(shape: tuple[int, int]) -> int:
    """Step in rows and columns that leaves about SAMPLE_PX pixels of a raster of this shape."""
    return math.ceil(math.sqrt(shape[0] * shape[1] / SAMPLE_PX))


def _check_below_zero(reflectance: Mapping[str, NDArray[np.float64]], offset: float) -> None:
    shares = {band: float((values < NEGATIVE).mean()) for band, values in reflectance.items()}
    bad = {band: share for band, share in shares.items() if share > NEGATIVE_SHARE}
    if bad:
        raise OffsetError(
            f"the data contradict an offset of {offset:g} DN",
            f"at most {NEGATIVE_SHARE:.0%} of a band's valid pixels below a reflectance of {NEGATIVE:g}",
            ", ".join(f"{band} {share:.0%} below" for band, share in bad.items()),
            "the offset seems to be removed already: state `offset: 0`, or fix the metadata",
        )


def _check_left_in(reflectance: Mapping[str, NDArray[np.float64]], offset: float, scale: float) -> None:
    floors = {
        band: float(np.percentile(values, FLOOR_PERCENT, method="lower"))
        for band, values in reflectance.items()
    }
    visible = [floors[band] for band in _VISIBLE if band in floors]
    swir = [floors[band] for band in _SWIR if band in floors]
    if len(visible) < 2 or min(floors.values()) < LEFT_IN or max(visible) > VISIBLE_TOP:
        return
    flat = abs(visible[0] - visible[-1]) <= FLAT
    if not flat and not (swir and min(swir) <= SWIR_TOP):
        return
    raise OffsetError(
        f"the data contradict an offset of {offset:g} DN",
        f"dark targets: some band with a {FLOOR_PERCENT:g} % floor below a reflectance of {LEFT_IN:g}, or "
        f"visible floors above {VISIBLE_TOP:g}",
        "floors all just above 0.1: " + ", ".join(f"{b} {v:.4f}" for b, v in floors.items()),
        f"the offset seems to be still in the data: state `offset: {offset - 0.1 / scale:g}`, "
        "or fix the metadata",
    )


def check_plausible(dn_by_band: Mapping[str, NDArray[Any]], offset: float, scale: float) -> None:
    """Raise if the values cannot be reflectance: a wrong scale, or no data that nothing declares.

    At most 1 % of a band lies outside -0.2 to 2; the largest integer of a band's type stands for more than
    0.5; and some band is brighter than 0.01 in more than a tenth of its pixels (clear water, the darkest
    surface, reflects more in the blue).

    Parameters
    ----------
    dn_by_band, offset, scale
        As for `check_offset`, without no data.

    Raises
    ------
    OffsetError
        With the bands and their values.
    """
    bands = {band: dn for band, dn in dn_by_band.items() if band in BANDS and dn.size}
    reflectance = {band: (dn.astype(np.float64) + offset) * scale for band, dn in bands.items()}
    outside = {b: float(((v < REFLECTANCE[0]) | (v > REFLECTANCE[1])).mean()) for b, v in reflectance.items()}
    found = [
        f"{band} {share:.1%} outside, from {reflectance[band].min():g} to {reflectance[band].max():g}"
        for band, share in outside.items()
        if share > IMPLAUSIBLE_SHARE
    ]
    found += [
        f"{band} of type {dn.dtype}, which ends at {(np.iinfo(dn.dtype).max + offset) * scale:g}"
        for band, dn in bands.items()
        if dn.dtype.kind in "iu" and (np.iinfo(dn.dtype).max + offset) * scale < DTYPE_TOP
    ]
    high = {b: float(np.percentile(v, DARK_PERCENT)) for b, v in reflectance.items() if v.size >= FEWEST}
    if high and max(high.values()) < DARK:
        found += [f"{DARK_PERCENT} % of {band} below {value:g}" for band, value in high.items()]
    if found:
        raise OffsetError(
            f"the data are no reflectance with scale {scale:g} and offset {offset:g} DN",
            f"values from {REFLECTANCE[0]:g} to {REFLECTANCE[1]:g}, not all of them below {DARK:g}",
            ", ".join(found),
            f"{SCALE_REMEDY}; 1/255 for bytes, 0.01 for percent; or declare the no data of the file",
        )


def check_offset(dn_by_band: Mapping[str, NDArray[Any]], offset: float, scale: float) -> None:
    """Raise if the data contradict the offset.

    There are two contradictions. (1) Subtracted though it was not there: more than 10 % of a band's valid
    pixels below a reflectance of -0.02, four times the 0.005 + 0.05 rho specified for a dark target (Doxani
    et al. 2018, doi:10.3390/rs10020352). (2) Left in: the darkest 0.1 % of every band lies just above 0.1.
    Visible floors lie between 0.097 and 0.135, no band has one below 0.097, and either blue and red floors
    are within 0.010 of each other (haze falls with wavelength, bare ground rises) or the short-wave infrared
    is just above 0.1 too. Shadow, water and dense vegetation reflect 0.00 to 0.04 in the visible; bright
    ground, snow and cloud have higher visible floors, haze a lower one beyond the red. With fewer than two
    visible bands (2) is not checked. docs/radiometry.md gives margins and limits.

    Parameters
    ----------
    dn_by_band
        DN by common name, any shape, a sample is enough; 0 and NaN are no data. Only reflectance bands
        count.
    offset
        DN.
    scale
        Reflectance per DN.

    Raises
    ------
    OffsetError
        With the share below zero or the floors of the bands.
    """
    reflectance = {}
    for band, dn in dn_by_band.items():
        valid = dn[(dn != NO_DATA) & (dn == dn)]
        if band in BANDS and valid.size:
            reflectance[band] = (valid.astype(np.float64) + offset) * scale
    if reflectance:
        _check_below_zero(reflectance, offset)
        _check_left_in(reflectance, offset, scale)


def is_missing(dn: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """True where DN are no data: 0, not finite, or `nodata`."""
    missing = (dn == NO_DATA) | ~np.isfinite(dn)
    return np.asarray(missing if nodata is None else missing | (dn == nodata))


def can_be_void(dtype: np.dtype[Any], offset: float, scale: float) -> bool:
    """Whether a band of this type can hold values below every reflectance (undeclared no data)."""
    lowest = np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf
    return bool((lowest + offset) * scale < REFLECTANCE[0])


def _stored(dn: NDArray[Any], offset: float, scale: float) -> NDArray[np.uint16]:
    # (DN + offset) * 1 is exact for the usual scale; scale * 10000 is formed first for that reason
    value = (dn.astype(np.float64) + offset) * (scale * STORED_PER_REFLECTANCE)
    stored = np.clip(np.rint(value), 1, 65535).astype(np.uint16)
    if can_be_void(dn.dtype, offset, scale):
        stored[value < REFLECTANCE[0] * STORED_PER_REFLECTANCE] = NO_DATA
    return stored


def stored_reflectance(
    dn: NDArray[Any], nodata: float | None, *, offset: float, scale: float
) -> NDArray[np.uint16]:
    """Reflectance x 10000, rounded, of DN: uint16, valid in [1, 65535], 0 = no data.

    Parameters
    ----------
    dn
        Any shape, any real dtype; 0, NaN and `nodata` are no data, and so is a reflectance below -0.2.
    nodata
        Another value that is no data, if any.
    offset
        DN.
    scale
        Reflectance per DN.
    """
    if dn.dtype == np.uint16:
        table = _stored(np.arange(65536), offset, scale)
        table[NO_DATA] = NO_DATA
        if nodata is not None and 0 <= nodata <= 65535:
            table[int(nodata)] = NO_DATA
        return np.asarray(table[dn])
    missing = is_missing(dn, nodata)
    return np.where(missing, np.uint16(NO_DATA), _stored(np.where(missing, 0, dn), offset, scale))
