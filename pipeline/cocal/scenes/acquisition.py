"""Acquisitions: which bands of which files were seen at one time, found from headers and names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from pyproj import CRS
from pyproj.exceptions import CRSError

from cocal.contracts import BANDS
from cocal.errors import InputError
from cocal.scenes.metadata import Facts, baseline_claim, gdal_claim, linear_claim, read_sidecars
from cocal.scenes.radiometry import Claim
from cocal.scenes.settings import FilesImport, ImportSettings, MultibandImport, NetcdfImport
from cocal.scenes.source import (
    BandSource,
    SourceGrid,
    cube_dtype,
    cube_nodata,
    has_valid_pixel,
    open_cube,
    open_raster,
    raster_grid,
)


@dataclass(frozen=True)
class Acquisition:
    """Bands seen at one time, in any CRS, and what metadata say of them."""

    acquired: datetime
    tags: tuple[str, ...]
    bands: tuple[BandSource, ...]
    facts: Facts


def utc(time: datetime) -> datetime:
    """`time` in UTC; a time without a zone is one of UTC already."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _raster_band(dataset: Any, path: Path, band: str, index: int) -> BandSource:
    return BandSource(
        band, path, raster_grid(dataset), dataset.dtypes[index - 1], dataset.nodatavals[index - 1], index
    )


def _raster_facts(dataset: Any, path: Path, indexes: Mapping[str, int], scale: float | None) -> Facts:
    claims: list[Claim] = []
    for band, index in indexes.items():
        if band in BANDS:
            tags = dataset.tags() | dataset.tags(index)
            name = f"{path.name} band {index}"
            claims += gdal_claim(name, dataset.scales[index - 1], dataset.offsets[index - 1], tags, scale)
    return Facts(tuple(claims))


def _stated_facts(settings: ImportSettings) -> Facts:
    if settings.baseline is None:
        return Facts(platform=settings.platform)
    claim = baseline_claim(settings.baseline, "stated in the configuration")
    return Facts((claim,), settings.platform)


def multiband_acquisition(settings: MultibandImport) -> Acquisition:
    """The acquisition of one GeoTIFF; bands by description or 1-based index."""
    path = settings.path
    with open_raster(path) as dataset:
        names = {text: i for i, text in enumerate(dataset.descriptions, start=1) if text}
        indexes = {
            band: where if isinstance(where, int) else names.get(where, 0)
            for band, where in settings.bands.items()
        }
        missing = [
            f"{band} = {settings.bands[band]!r}" for band, i in indexes.items() if i not in dataset.indexes
        ]
        if missing:
            raise InputError(
                f"{path} lacks bands",
                ", ".join(missing),
                f"{dataset.count} bands, described {', '.join(names) or 'not at all'}",
                "mend `bands:`: descriptions as in the file, or indexes from 1",
            )
        bands = tuple(_raster_band(dataset, path, band, i) for band, i in indexes.items())
        facts = _raster_facts(dataset, path, indexes, settings.scale)
    sidecars = read_sidecars(path, path.parent, settings.scale)
    return Acquisition(utc(settings.date), (), bands, _stated_facts(settings) + facts + sidecars)


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
        "mend the group `date` of `pattern:`",
    )


def _file_groups(settings: FilesImport) -> dict[tuple[str, str, str], dict[str, list[Path]]]:
    """Paths by (date, tile, baseline) and common band name, in order of the names."""
    pattern, common = re.compile(settings.pattern), {v: k for k, v in settings.bands.items()}
    groups: dict[tuple[str, str, str], dict[str, list[Path]]] = {}
    paths = sorted(p for p in settings.folder.rglob("*") if p.is_file())
    for path in paths:
        match = pattern.search(path.relative_to(settings.folder).as_posix())
        if match is None or match["band"] not in common:
            continue
        found = match.groupdict()
        key = (found["date"], found.get("tile") or "", found.get("baseline") or "")
        groups.setdefault(key, {}).setdefault(common[match["band"]], []).append(path)
    if not groups:
        seen = ", ".join(p.relative_to(settings.folder).as_posix() for p in paths[:3])
        raise InputError(
            f"no file of {settings.folder} fits the pattern {settings.pattern!r}",
            f"files whose group band is one of {', '.join(common)}",
            f"{len(paths)} files" + (f", the first {seen}" if seen else ""),
            "mend `folder:`, `pattern:` or `bands:`",
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
            "fetch the files, or mend `pattern:` and `bands:`",
        )
    return groups


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


def files_acquisitions(settings: FilesImport) -> Iterator[Acquisition]:
    """The acquisitions of a folder of single-band files, by (date, tile, baseline) of their names."""
    if not settings.folder.is_dir():
        raise InputError(f"no folder {settings.folder}", "a folder", "nothing there", "mend `folder:`")
    for (date, tile, baseline), files in sorted(_file_groups(settings).items()):
        bands, facts = [], _stated_facts(settings)
        for band in settings.bands:
            path = _finest(band, files[band])
            with open_raster(path) as dataset:
                bands.append(_raster_band(dataset, path, band, 1))
                facts += _raster_facts(dataset, path, {band: 1}, settings.scale)
            if band in BANDS:
                facts += read_sidecars(path, settings.folder, settings.scale)
        if baseline:
            facts += Facts((baseline_claim(baseline, "file name"),))
        tags = tuple(filter(None, (tile, baseline)))
        yield Acquisition(_file_time(date, bands[0].path), tags, tuple(bands), facts)


def _cube_variables(settings: NetcdfImport, cube: xr.Dataset) -> dict[str, xr.DataArray]:
    """The variable of each band, (time, y, x); one error for all that are missing or shaped otherwise."""
    wrong = []
    for name in settings.bands.values():
        if name not in cube.data_vars:
            wrong.append(f"no variable {name!r}")
        elif cube[name].ndim != 3 or cube[name].dims[0] != settings.time:
            wrong.append(f"{name!r} has dims {cube[name].dims}, not ({settings.time!r}, y, x)")
    if wrong:
        raise InputError(
            f"{settings.path} lacks bands",
            ", ".join(settings.bands.values()),
            "; ".join(wrong) + f"; it holds {', '.join(map(str, cube.data_vars))}",
            "mend `bands:` and `time:`",
        )
    return {band: cube[name] for band, name in settings.bands.items()}


def _cube_crs(settings: NetcdfImport, cube: xr.Dataset, variable: xr.DataArray) -> str:
    """The CRS as WKT: of the variable's grid mapping (CF 1.11, 5.6), else as stated."""
    mapping = str(variable.attrs.get("grid_mapping", "spatial_ref")).split(":")[0]
    attrs = cube[mapping].attrs if mapping in cube.variables else {}
    wkt = attrs.get("crs_wkt", attrs.get("spatial_ref"))
    try:
        said = CRS.from_wkt(str(wkt)) if wkt else CRS.from_cf(attrs) if "grid_mapping_name" in attrs else None
        stated = CRS.from_user_input(settings.crs) if settings.crs else None
    except CRSError as err:
        raise InputError(f"the CRS of {settings.path}", "WKT or EPSG:code", str(err), "mend `crs:`") from err
    found = said or stated
    if found is None or (said and stated and not said.equals(stated, ignore_axis_order=True)):
        raise InputError(
            f"the CRS of {settings.path}",
            "one that the file says, or `crs:` where it does not",
            f"the file says {said.name if said else 'none'}, `crs:` is {settings.crs}",
            "mend `crs:`",
        )
    return str(found.to_wkt())


def _axis(cube: xr.Dataset, name: str, path: Path) -> tuple[float, float]:
    """(lowest pixel edge, pixel size) of an evenly spaced coordinate of cell centres."""
    values = np.asarray(cube[name].values, dtype=np.float64) if name in cube.coords else np.empty(0)
    steps = np.diff(values)
    if not steps.size or not np.allclose(steps, steps[0], rtol=1e-3, atol=0):
        raise InputError(
            f"coordinate {name!r} of {path}", "at least two evenly spaced cell centres", f"{values[:4]}", ""
        )
    step = abs(float(values[-1] - values[0])) / steps.size
    return float(values.min()) - step / 2, step


def _cube_grid(settings: NetcdfImport, cube: xr.Dataset, variable: xr.DataArray) -> SourceGrid:
    _, y, x = (str(d) for d in variable.dims)
    west, dx = _axis(cube, x, settings.path)
    south, dy = _axis(cube, y, settings.path)
    height, width = cube.sizes[y], cube.sizes[x]
    crs = _cube_crs(settings, cube, variable)
    return SourceGrid(crs, (dx, 0.0, west, 0.0, -dy, south + height * dy), width, height)


def _cube_turns(cube: xr.Dataset, variable: xr.DataArray) -> tuple[bool, bool]:
    y, x = (cube[d].values for d in variable.dims[1:])
    return bool(y[0] < y[-1]), bool(x[0] > x[-1])


def _cube_times(settings: NetcdfImport, cube: xr.Dataset) -> list[datetime]:
    try:
        values = xr.decode_cf(cube[[settings.time]])[settings.time].values.astype("datetime64[ns]")
    except (KeyError, ValueError, TypeError) as err:
        raise InputError(
            f"time axis {settings.time!r} of {settings.path}", "CF times", str(err), "mend `time:`"
        ) from err
    return [utc(stamp.to_pydatetime()) for stamp in pd.DatetimeIndex(values).round("s")]


def _cube_facts(settings: NetcdfImport, variables: Mapping[str, xr.DataArray]) -> Facts:
    claims = []
    for band, variable in variables.items():
        if band in BANDS:
            said = {
                k: float(variable.attrs[k]) for k in ("scale_factor", "add_offset") if k in variable.attrs
            }
            source = f"scale_factor and add_offset of {variable.name} in {settings.path.name}"
            claims.append(
                linear_claim(source, said.get("scale_factor"), said.get("add_offset"), settings.scale)
            )
    return _stated_facts(settings) + Facts(tuple(c for c in claims if c is not None))


def netcdf_acquisitions(settings: NetcdfImport) -> tuple[list[Acquisition], list[datetime]]:
    """The acquisitions of a cube, and the times at which no band has a valid pixel: those make none."""
    with open_cube(settings.path) as cube:
        variables = _cube_variables(settings, cube)
        times = _cube_times(settings, cube)
        grids = {band: _cube_grid(settings, cube, v) for band, v in variables.items()}
        facts = _cube_facts(settings, variables)
        turns = {band: _cube_turns(cube, v) for band, v in variables.items()}
        layers = {b: (cube_dtype(v).name, cube_nodata(v), str(v.name)) for b, v in variables.items()}
    found, empty = [], []
    for index, time in enumerate(times):
        bands = tuple(
            BandSource(band, settings.path, grids[band], dtype, nodata, index, name, turns[band])
            for band, (dtype, nodata, name) in layers.items()
        )
        if any(has_valid_pixel(source) for source in bands if source.band in BANDS):
            found.append(Acquisition(time, (), bands, facts))
        else:
            empty.append(time)
    return found, empty
