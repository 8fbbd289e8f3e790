"""Acquisitions: the bands of one time and their files, from headers and names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rasterio.enums import ColorInterp, MaskFlags

from cocal.contracts import BANDS, NO_DATA, QUALITY
from cocal.errors import InputError
from cocal.notes.account import part, record
from cocal.scenes.cubes import cube_source, cube_times, cube_variables
from cocal.scenes.metadata import (
    Facts,
    baseline_claim,
    gdal_claims,
    linear_claims,
    read_sidecars,
    stated_no_data,
)
from cocal.scenes.settings import (
    FilesImport,
    FurtherFile,
    ImportSettings,
    MultibandImport,
    NetcdfImport,
    SceneImport,
    other_band,
)
from cocal.scenes.source import (
    BandSource,
    has_valid_pixel,
    open_cube,
    open_raster,
    raster_grid,
    work_dtype,
)

RASTERS = (".tif", ".tiff", ".jp2", ".img", ".vrt")
"""Ends of names of rasters."""


@dataclass(frozen=True)
class Acquisition:
    """The bands of one time, in any CRS, and their metadata."""

    acquired: datetime
    tags: tuple[str, ...]
    bands: tuple[BandSource, ...]
    facts: Facts


def _utc(time: datetime) -> datetime:
    """`time` in UTC; a time without a zone is in UTC already."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _raster_band(
    dataset: Any, path: Path, root: Path, band: str, index: int, stated_scale: float | None
) -> tuple[BandSource, Facts]:
    """Band `index` of an open raster, and its radiometry by GDAL's metadata and by what stands beside it."""
    dtype, nodata = dataset.dtypes[index - 1], dataset.nodatavals[index - 1]
    masked = MaskFlags.per_dataset in dataset.mask_flag_enums[index - 1]
    source = BandSource(band, path, raster_grid(dataset), work_dtype(dtype), nodata, index, masked=masked)
    tags, name = dataset.tags() | dataset.tags(index), f"{path.name} band {index}"
    scale, offset = dataset.scales[index - 1], dataset.offsets[index - 1]
    if band not in BANDS:
        _check_unscaled(name, band, scale, offset)
        return source, Facts()
    invalid = tuple(
        v for v in stated_no_data(path, root, index) if np.isfinite(v) and v not in (NO_DATA, nodata)
    )
    facts = Facts(tuple(gdal_claims(name, scale, offset, tags, stated_scale)))
    return replace(source, invalid=invalid), facts + read_sidecars(path, root, stated_scale, index)


def _check_unscaled(name: str, band: str, scale: float, offset: float) -> None:
    """Raise if a quality band has a scale or an offset: its values are codes or whole percent."""
    if (scale, offset) != (1, 0):
        raise InputError(
            f"{name} ({band})", f"{band} without scale and offset", f"scale {scale:g}, offset {offset:g}",
            "write it as whole numbers from 0 to 255, unscaled",
        )  # fmt: skip


def _check_alike(path: Path, facts: Mapping[str, Facts]) -> None:
    """Raise unless all reflectance bands of an acquisition state one scale and one offset, or none."""
    stated = {
        band: {(c.scale, c.offset or 0.0) for c in own.claims if c.about == "file" or c.of_band}
        for band, own in facts.items()
        if band in BANDS
    }
    if len({frozenset(pairs) for pairs in stated.values()}) > 1:
        listed = (
            f"{band} {' and '.join(f'{s or 1:g}, {o:g} DN' for s, o in sorted(pairs, key=str)) or 'none'}"
            for band, pairs in stated.items()
        )
        raise InputError(
            f"the bands of {path} contradict each other",
            "one scale and one offset for all reflectance bands",
            "; ".join(listed),
            "write the file anew with one scale and offset, or import its bands from files of their own",
        )


def _stated_facts(settings: ImportSettings) -> Facts:
    stated = [settings.baseline] if settings.baseline is not None else []
    claims = tuple(baseline_claim(text, "stated in the configuration") for text in stated)
    return Facts(claims, settings.platform)


def _multiband(settings: MultibandImport) -> Acquisition:
    """The acquisition of one GeoTIFF and the files beside it."""
    files: list[MultibandImport | FurtherFile] = [settings, *settings.also]
    read = [band for file in files for band in _bands_of(file, settings.scale)]
    _check_alike(settings.path, {source.band: facts for source, facts in read})
    facts = sum((facts for _, facts in read), _stated_facts(settings))
    return Acquisition(_utc(settings.date), (), tuple(source for source, _ in read), facts)


def _bands_of(file: MultibandImport | FurtherFile, scale: float | None) -> list[tuple[BandSource, Facts]]:
    """The bands of one raster, by description or 1-based index, and their radiometry."""
    path = file.path
    with open_raster(path) as dataset:
        names = {text: i for i, text in enumerate(dataset.descriptions, start=1) if text}
        _check_descriptions(path, file.bands, dataset.descriptions)
        indexes = {
            band: where if isinstance(where, int) else names.get(where, 0)
            for band, where in file.bands.items()
        }
        missing = [
            f"{band} = {file.bands[band]!r}" for band, i in indexes.items() if i not in dataset.indexes
        ]
        if missing:
            raise InputError(
                f"{path} lacks bands",
                ", ".join(missing),
                f"{dataset.count} bands, described {', '.join(names) or 'not at all'}",
                "fix `bands:`: descriptions as in the file, or indexes from 1",
            )
        read = [_raster_band(dataset, path, path.parent, band, i, scale) for band, i in indexes.items()]
        # GDAL takes the fourth of four bands for alpha: one that is imported is none
        alpha = any(dataset.colorinterp[i - 1] == ColorInterp.alpha for i in indexes.values())
    return [(replace(source, masked=source.masked and not alpha), facts) for source, facts in read]


def _check_descriptions(
    path: Path, bands: Mapping[str, str | int], descriptions: Sequence[str | None]
) -> None:
    """Raise if a band is named by a description that several have, or by the index of another band."""
    twice = [
        f"{w} is said of {descriptions.count(w)} bands" for w in bands.values() if descriptions.count(w) > 1
    ]
    wrong = [
        f"band {where}, imported as {band}, is described {text}"
        for band, where in bands.items()
        if isinstance(where, int) and 0 < where <= len(descriptions)
        if (text := descriptions[where - 1]) and other_band(band, text)
    ]
    if twice or wrong:
        raise InputError(
            f"the bands of {path}", "each band under its own description", "; ".join([*twice, *wrong]),
            "correct `bands:`, or the descriptions in the file",
        )  # fmt: skip


def _file_time(text: str, path: Path) -> datetime:
    digits = re.sub(r"\D", "", text)
    for length, form in ((14, "%Y%m%d%H%M%S"), (8, "%Y%m%d")):
        if len(digits) == length:
            try:
                return datetime.strptime(digits, form).replace(tzinfo=UTC)
            except ValueError:
                break
    raise InputError(
        f"date {text!r} in the name of {path}",
        "YYYYMMDD or YYYYMMDDTHHMMSS",
        repr(text),
        "fix the group `date` of `pattern:`",
    )


def _file_groups(settings: FilesImport) -> dict[tuple[str, str, str], dict[str, list[Path]]]:
    """Paths by (date, tile, baseline) and common band name, in order of the names."""
    pattern, common = re.compile(settings.pattern), {v: k for k, v in settings.bands.items()}
    groups: dict[tuple[str, str, str], dict[str, list[Path]]] = {}
    left_out: list[Path] = []
    paths = sorted(p for p in settings.folder.rglob("*") if p.is_file())
    for path in paths:
        match = pattern.search(path.relative_to(settings.folder).as_posix())
        if match is None or match["band"] not in common:
            left_out += [path] if match is None else []
            continue
        named = match.groupdict()
        key = (named["date"], named.get("tile") or "", named.get("baseline") or "")
        groups.setdefault(key, {}).setdefault(common[match["band"]], []).append(path)
    if not groups:
        first = ", ".join(p.relative_to(settings.folder).as_posix() for p in paths[:3])
        raise InputError(
            f"no file of {settings.folder} fits the pattern {settings.pattern!r}",
            f"files whose group band is one of {', '.join(common)}",
            f"{len(paths)} files" + (f", the first {first}" if first else ""),
            "fix `folder:`, `pattern:` or `bands:`",
        )
    _record_left_out(
        settings, left_out, [p for files in groups.values() for own in files.values() for p in own]
    )
    lacking = [
        f"{' '.join(filter(None, key))} lacks {band}"
        for key, files in sorted(groups.items())
        for band in settings.bands
        if band not in files
    ]
    if lacking:
        raise InputError(
            f"bands are missing in {settings.folder}",
            f"{', '.join(settings.bands)} for every date",
            "; ".join(lacking[:6]) + (f"; {len(lacking) - 6} more" if len(lacking) > 6 else ""),
            "fetch the files, or fix `pattern:` and `bands:`",
        )
    return groups


def _record_left_out(settings: FilesImport, left_out: Sequence[Path], taken: Sequence[Path]) -> None:
    """Record rasters of wanted bands that do not fit the pattern, of days and tiles that no taken file has.

    Other files of a product that is taken (coarser copies, previews) are left out on purpose.
    """
    wanted = "|".join(re.escape(name) for name in settings.bands.values())
    names_band = re.compile(rf"(?<![a-z0-9])(?:{wanted})(?![a-z0-9])", re.IGNORECASE)
    rasters = [p for p in left_out if p.suffix.lower() in RASTERS and names_band.search(p.stem)]
    known = {_day_and_tile(path) for path in taken}
    lost = [path for path in rasters if _day_and_tile(path) not in known]
    if lost:
        names = (path.relative_to(settings.folder).as_posix() for path in lost)
        record("files_without_pattern", source=settings.name, **part(names, len(lost) + len(taken)))


def _day_and_tile(path: Path) -> tuple[str, ...]:
    found = (
        re.search(form, path.stem) for form in (r"(?<!\d)(19|20)\d\d-?\d\d-?\d\d", r"\d{2}[C-X][A-Z]{2}")
    )
    return tuple(re.sub(r"\D*-", "", match[0]) if match else "" for match in found)


def _finest(band: str, paths: list[Path]) -> Path:
    """The file with the smallest pixels: a SAFE product holds some bands at 10, 20 and 60 m."""
    if len(paths) == 1:
        return paths[0]
    sizes = []
    for path in paths:
        with open_raster(path) as dataset:
            sizes.append(abs(dataset.transform.a))
    if sizes.count(min(sizes)) > 1:
        raise InputError(
            f"several files for band {band} of one acquisition",
            "one file, or one per pixel size",
            ", ".join(p.name for p in paths[:4]),
            "add the groups tile or baseline to `pattern:`, or narrow it",
        )
    return paths[sizes.index(min(sizes))]


def _files(settings: FilesImport) -> Iterator[Acquisition]:
    """The acquisitions of a folder of single-band files, by (date, tile, baseline) of their names."""
    if not settings.folder.is_dir():
        raise InputError(f"no folder {settings.folder}", "a folder", "nothing there", "fix `folder:`")
    for (date, tile, baseline), files in sorted(_file_groups(settings).items()):
        bands, facts, of_band = [], _stated_facts(settings), {}
        for band in settings.bands:
            path = _finest(band, files[band])
            with open_raster(path) as dataset:
                source, own = _raster_band(dataset, path, settings.folder, band, 1, settings.scale)
            bands.append(source)
            facts += own
            of_band[band] = own
        _check_alike(bands[0].path, of_band)
        if baseline:
            facts += Facts((baseline_claim(baseline, "file name"),))
        tags = tuple(filter(None, (tile, baseline)))
        yield Acquisition(_file_time(date, bands[0].path), tags, tuple(bands), facts)


def _cube_facts(settings: NetcdfImport, variables: Mapping[str, xr.DataArray]) -> Facts:
    found: dict[str, Facts] = {}
    for band, variable in variables.items():
        if band in QUALITY:
            packing = (float(variable.attrs.get(n, d)) for n, d in (("scale_factor", 1), ("add_offset", 0)))
            _check_unscaled(f"{variable.name} in {settings.path.name}", band, *packing)
            continue
        source = f"scale_factor and add_offset of {variable.name} in {settings.path.name}"
        scale, offset = (
            float(variable.attrs[name]) if name in variable.attrs else None
            for name in ("scale_factor", "add_offset")
        )
        found[band] = Facts(tuple(linear_claims(source, scale, offset, settings.scale)))
    _check_alike(settings.path, found)
    return sum(found.values(), _stated_facts(settings))


def _netcdf(settings: NetcdfImport) -> Iterator[Acquisition]:
    """The acquisitions of a cube. Times at which no band has a valid pixel make none, and are recorded."""
    with open_cube(settings.path) as cube:
        variables = cube_variables(settings, cube)
        times = cube_times(settings, cube)
        sources = [cube_source(settings, cube, band, v) for band, v in variables.items()]
        facts = _cube_facts(settings, variables)
    empty = []
    for index, time in enumerate(times):
        bands = tuple(replace(source, index=index) for source in sources)
        if any(has_valid_pixel(source) for source in bands if source.band in BANDS):
            yield Acquisition(time, (), bands, facts)
        else:
            empty.append(f"{time:%Y-%m-%d}")
    if empty:
        record("dates_without_pixel", source=settings.path.name, **part(empty, len(times)))


def list_acquisitions(settings: SceneImport) -> list[Acquisition]:
    """The acquisitions of one import, from headers, names and metadata.

    Of a NetCDF cube pixels are read until the first valid one of each time.
    """
    match settings:
        case MultibandImport():
            return [_multiband(settings)]
        case FilesImport():
            return list(_files(settings))
        case NetcdfImport():
            return list(_netcdf(settings))
