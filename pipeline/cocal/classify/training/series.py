"""A long table of labelled time series -> Dataset(time, sample) and the samples' labels."""

from __future__ import annotations

import difflib

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cocal.classify.settings import SeriesSamples
from cocal.classify.training.samples import map_labels, refuse
from cocal.contracts import BANDS, IMPLAUSIBLE_SHARE, REFLECTANCE
from cocal.errors import InputError
from cocal.grid import transformer, utm_zones
from cocal.scheme import ClassScheme
from cocal.user_tables import DATE, cleaned, local_times, read_csv_table

MARKERS = (-99999, -32768, -32767, -9999, -999, 32767, 65535, 99999)
"""Values that mark missing data in tables and rasters, which `missing_value` must state."""

SOUTHERNMOST = -56.0
"""Latitude of Cape Horn: no crop grows south of it, a place whose degrees are exchanged may lie there."""

_DARKEST = 0.001
_DARKEST_OF_ALL = 0.02


def _read_table(settings: SeriesSamples) -> pd.DataFrame:
    text = (settings.id_column, settings.label_column, settings.date_column)
    try:
        if settings.path.suffix == ".parquet":
            return cleaned(pd.read_parquet(settings.path))
        return read_csv_table(settings.path, text, words=False).reset_index(drop=True)
    except (OSError, ValueError) as err:
        raise InputError(
            f"cannot read the time series in {settings.path}",
            "a table in CSV or Parquet",
            str(err),
            "fix `samples.path`",
        ) from err


def labels_in(settings: SeriesSamples) -> list[str]:
    """The labels of a table, sorted.

    Raises
    ------
    InputError
        The table cannot be read, or has no column of labels; the message lists its columns.
    """
    table = _read_table(settings)
    if settings.label_column not in table:
        raise InputError(
            f"the table {settings.path} has no column {settings.label_column!r}", "a column of labels",
            f"columns {', '.join(map(str, table.columns))}", "fix `train.samples.label_column`",
        )  # fmt: skip
    return sorted(str(label) for label in table[settings.label_column].dropna().unique())


def read_series(settings: SeriesSamples, scheme: ClassScheme) -> tuple[xr.Dataset, pd.DataFrame]:
    """The labelled time series of a long table, and one row per sample with its label and place.

    Returns
    -------
    Dataset with one float32 variable per band, dims (time, sample): reflectance, NaN = missing (no row for
    that date, an empty cell or `missing_value`); coords time (datetime64[ns], ascending) and sample (str).
    DataFrame in the order of `sample`: sample_id, label (class key), lon, lat (degrees), and the place on
    the grid epsg, x, y (m).

    Raises
    ------
    InputError
        A column is missing, a label has no class, a date or number cannot be read, a sample has two rows
        for a date, two labels or two places; all of these at once. Then: a band whose values are no
        reflectance (a marker of missing data, more than 1 % outside -0.2 to 2, or none above 0.001); bands
        none of which exceeds 0.02; rows with 0 in every band.
    """
    table = _read_table(settings)
    place = {settings.longitude_column: "lon", settings.latitude_column: "lat"}
    columns = [
        settings.id_column, settings.date_column, settings.label_column, *place, *settings.bands.values(),
        *settings.carried.values(),
    ]  # fmt: skip
    present = [str(c) for c in table.columns]
    refuse(settings, scheme, [_absent(c, present) for c in columns if c not in table])
    keys, problems = map_labels(table[settings.label_column], settings, scheme)
    long = pd.DataFrame(
        {
            "sample_id": table[settings.id_column].astype(str),
            "time": local_times(table[settings.date_column]),
            "label": keys,
            **{own: table[column].to_numpy() for own, column in settings.carried.items()},
        }
    )
    numbers = {**{v: k for k, v in place.items()}, **settings.bands}
    for name, column in numbers.items():
        long[name] = _numbers(table[column])
        broken = int((long[name].isna() & table[column].notna()).sum())
        if broken:
            problems.append(f"{broken} cells of column {column!r} are not numbers")
    if table[settings.id_column].isna().any():
        problems.append(f"{int(table[settings.id_column].isna().sum())} rows have no id")
    refuse(settings, scheme, problems + _series_problems(long, list(settings.carried)))
    refuse(settings, scheme, _implausible(long, settings))
    return _cube(long, settings), _places(long, list(settings.carried))


def _series_problems(long: pd.DataFrame, carried: list[str]) -> list[str]:
    problems = []
    if long.empty:
        problems.append("the table has no rows")
    if long["time"].isna().any():
        problems.append(f"{int(long['time'].isna().sum())} rows have no readable date: {DATE}")
    doubled = long.duplicated(["sample_id", "time"])
    if doubled.any():
        problems.append(f"samples with two rows for one date: {_few(long['sample_id'][doubled])}")
    groups = [([name], f"two values of {name}") for name in carried]
    for columns, words in ((["label"], "two labels"), (["lon", "lat"], "two places"), *groups):
        ways = long.drop_duplicates(["sample_id", *columns])["sample_id"]
        if ways.duplicated().any():
            problems.append(f"samples with {words}: {_few(ways[ways.duplicated()])}")
    outside = ~(long["lon"].between(-180, 180) & long["lat"].between(SOUTHERNMOST, 84))
    if outside.any():
        few = _few(long["sample_id"][outside])
        problems.append(f"samples whose place is not in degrees, or exchanged longitude and latitude: {few}")
    return problems


def _implausible(long: pd.DataFrame, settings: SeriesSamples) -> list[str]:
    """Bands whose values times `scale` are no reflectance: too many outside `REFLECTANCE`, or all dark."""
    problems, highest = [], [0.0]
    dark = long[[band for band in settings.bands if band in BANDS]]
    if dark.shape[1] > 1 and (rows := int((dark == 0).all(axis=1).sum())) and settings.missing_value != 0:
        problems.append(f"{rows} rows with 0 in every band: state `missing_value: 0`, or empty these cells")
    for band, column in settings.bands.items():
        if band not in BANDS:
            continue
        raw = long[band].dropna().to_numpy(np.float64)
        raw = raw if settings.missing_value is None else raw[raw != settings.missing_value]
        values = raw * settings.scale
        outside = ~((values >= REFLECTANCE[0]) & (values <= REFLECTANCE[1]))
        highest.append(float(values.max(initial=0.0)))
        marked = outside & np.isin(raw, MARKERS)
        if marked.any() or outside.sum() > IMPLAUSIBLE_SHARE * values.size:
            common = pd.Series(raw[marked if marked.any() else outside]).value_counts().index[0]
            problems.append(
                f"column {column!r}: {outside.sum()} of {values.size} values times `scale` "
                f"{settings.scale:g} are outside {REFLECTANCE[0]} to {REFLECTANCE[1]}, which no reflectance "
                f"is; the most frequent is {common:g}: state it as `missing_value` if it marks missing data, "
                "or correct `scale`"
            )
        elif values.size and not (values > _DARKEST).any():
            problems.append(
                f"column {column!r}: no reflectance is above {_DARKEST}; the highest value is {raw.max():g}, "
                f"times `scale` {settings.scale:g}: correct `scale`"
            )
    if not problems and len(highest) > 1 and max(highest) <= _DARKEST_OF_ALL:
        problems.append(
            f"no band has a reflectance above {_DARKEST_OF_ALL}; the highest is {max(highest):g}: correct "
            f"`scale` {settings.scale:g} (0.01 for values in per cent)"
        )
    return problems


def _absent(column: str, present: list[str]) -> str:
    lowered = {c.lower(): c for c in present}
    near = difflib.get_close_matches(column.lower(), lowered, 1, cutoff=0.5)
    hint = f"did you mean {lowered[near[0]]!r}? " if near else ""
    return f"no column {column!r} ({hint}there are {', '.join(present)})"


def _numbers(values: pd.Series) -> pd.Series:
    """Values as numbers, NaN where they are none."""
    try:
        return pd.to_numeric(values, errors="coerce")
    except OverflowError:  # an integer above 1e308
        return pd.to_numeric(values.astype(str), errors="coerce")


def _few(names: pd.Series) -> str:
    unique = sorted(set(names.fillna("(no id)")))
    return ", ".join(unique[:10]) + (f" and {len(unique) - 10} more" if len(unique) > 10 else "")


def _cube(long: pd.DataFrame, settings: SeriesSamples) -> xr.Dataset:
    times, at_time = np.unique(long["time"].to_numpy("datetime64[ns]"), return_inverse=True)
    samples = pd.Index(long["sample_id"].unique())
    at_sample = samples.get_indexer(pd.Index(long["sample_id"]))
    variables = {}
    for band in settings.bands:
        values = long[band].to_numpy(np.float64)
        if settings.missing_value is not None:
            values = np.where(values == settings.missing_value, np.nan, values)
        stack: NDArray[np.float32] = np.full((times.size, len(samples)), np.nan, dtype=np.float32)
        stack[at_time, at_sample] = values * settings.scale
        attrs = {"long_name": f"{band} surface reflectance", "units": "1"}
        variables[band] = (("time", "sample"), stack, attrs)
    return xr.Dataset(
        variables,
        coords={"time": times, "sample": np.asarray(samples, dtype=str)},
        attrs={"simulated": int(settings.simulated)},
    )


def _places(long: pd.DataFrame, carried: list[str]) -> pd.DataFrame:
    """One row per sample: its label, its place in degrees and on the grid."""
    kept = ["sample_id", "label", "lon", "lat", *carried]
    one = long.drop_duplicates("sample_id")[kept].reset_index(drop=True)
    one["epsg"] = utm_zones(one["lon"], one["lat"])
    for zone, rows in one.groupby("epsg").groups.items():
        x, y = transformer(4326, int(str(zone))).transform(one.loc[rows, "lon"], one.loc[rows, "lat"])
        one.loc[rows, "x"], one.loc[rows, "y"] = x, y
    return one
