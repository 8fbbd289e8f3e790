"""Altered tables of every kind that users give: cells, headers, rows, bytes, geometries; see `KINDS`.

Each ends with 0, or with 2 and the file named; nothing ends in a traceback. Seed s alters
the kind s modulo the number of kinds.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import yaml

from tests.fuzz.land import fault_of, land, prepare
from tests.run.test_series import invented, written
from tests.support.small_world import SmallWorld

__all__ = ["KINDS", "SEEDS", "one", "prepare"]
SEEDS: tuple[int, ...] = (68, 733, 2449, 20552)

Random = random.Random
Table = list[list[str]]

CELLS = (
    "", " ", "inf", "-inf", "nan", "NaN", "1e308", "-1", "-9999", "0", "1e400", "9" * 400, "1,5", "1.234,5",
    "\u0661\u0662", "0x10", "1_000", "x" * 70_000, "\u202e", "\ufeff", "coca ", "co\u0301ca", "COCA",
    "'=1+1", '"', '""', "a\nb", "a\rb", "01/02/2024", "2024-06-31", "31/12/2024", "0001-01-01", "9999-12-31",
    "45323",
    "None", "2024-03-01T23:30:00-05:00", "null", "true", "-12.5", "-72", "180.1", "91", "1e20",
    "\x00", "\x1a", "\u00c3\u00a9",
)  # fmt: skip


def _changed(table: Table, chance: Random) -> Table:
    """The table with one thing altered; the header is row 0."""
    row, column = chance.randrange(1, len(table)), chance.randrange(len(table[0]))
    what = chance.randrange(11)
    if what <= 3:
        table[row][column] = chance.choice(CELLS)
    elif what == 4:
        value = chance.choice(CELLS)
        table = [table[0], *([*r[:column], value, *r[column + 1 :]] for r in table[1:])]
    elif what == 5:
        table[0][column] = chance.choice(
            (*table[0], "", " ", table[0][column].upper(), "x" * 300, "geometry")
        )
    elif what == 6:
        table = [[*r[:column], *r[column + 1 :]] for r in table]
    elif what == 7:
        table = [[*r, r[column]] for r in table]
    elif what == 8:
        table[row] = chance.choice(
            ([], [""], table[row][:-1], [*table[row], "x"], table[0], table[-1], ["x"])
        )
    elif what == 9:
        table = chance.choice((table[:1], table[1:], [], table[:2], [*table, *table[1:]]))
    else:
        other = chance.randrange(len(table[0]))
        for r in table:
            r[column], r[other] = r[other], r[column]
    return table


def _in_bytes(data: bytes, chance: Random) -> bytes:
    """Bytes of a text file that are others."""
    what = chance.randrange(8)
    if what == 0:
        return data.replace(b"\n", chance.choice((b"\r", b"\r\n", b"\n\n", b"\r\r\n")))
    if what == 1:
        return data.replace(b",", chance.choice((b";", b"\t", b", ", b"|")))
    if what == 2:
        return chance.choice(
            (
                data.decode("latin-1").encode("utf-16"),
                b"\xef\xbb\xbf" + data,
                b"sep=;\n" + data,
                b"sep=,\r\n" + data,
            )
        )
    if what == 3:
        return chance.choice(
            (b"", b"\n", b"\0", chance.randbytes(2_000), b"\x89PNG\r\n\x1a\n", b"PK\x03\x04" + data, b'"')
        )
    if what == 4:
        at = chance.randrange(len(data))
        return data[:at] + chance.choice((b"\r", b"\0", b'"', b"\xff", b"\xe2\x28", b"\n")) + data[at:]
    if what == 5:
        return data[: chance.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 30))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _text(table: Table) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table)
    return out.getvalue().encode("utf-8", "surrogatepass")


def _spoil_csv(path: Path, chance: Random) -> None:
    data = path.read_bytes()
    if chance.random() < 0.65:
        path.write_bytes(_text(_changed(list(csv.reader(io.StringIO(data.decode()))), chance)))
    else:
        path.write_bytes(_in_bytes(data, chance))


def _of_csv(name: str, *command: str) -> Callable[[SmallWorld, Random], str]:
    """The kind of one CSV of the land."""

    def kind(world: SmallWorld, chance: Random) -> str:
        _spoil_csv(world.folder / name, chance)
        words = (name, name.removesuffix(".csv"), "stratum '", "sample point in stratum")
        return fault_of(*command, world.config, codes=(0, 2), words=words)

    kind.__name__ = name.removesuffix(".csv")
    return kind


def sheet(world: SmallWorld, chance: Random) -> str:
    """Records in Excel."""
    rows = list(csv.reader(io.StringIO((world.folder / "records.csv").read_text())))
    book = openpyxl.Workbook()
    for row in _changed(rows, chance):
        cells = [value.translate(dict.fromkeys(range(32)))[:30_000] for value in row]
        numbers = [
            float(v) if v.lstrip("-").replace(".", "", 1).isdecimal() and v.isascii() else v for v in cells
        ]
        book.active.append(numbers if chance.random() < 0.7 else cells)
    book.save(world.folder / "records.xlsx")
    if chance.random() < 0.3:
        path = world.folder / "records.xlsx"
        data = path.read_bytes()
        path.write_bytes(
            _in_bytes(data, chance) if chance.random() < 0.2 else data[: chance.randrange(5_000)]
        )
    world.edit(lambda content: content["records"].update(path="records.xlsx"))
    words = ("records.xlsx", "record_id", "strata.csv", "stratum '", "sample point in stratum")
    return fault_of("measure", "--serial", world.config, codes=(0, 2), words=words)


NUMBERS = (float("inf"), float("nan"), 1e308, -1e308, 181.0, -91.0, 500_000.0, 8_600_000.0, 0.0, 1e-320)
RING = [[-72, -12.5], [-71.99, -12.49], [-71.99, -12.5], [-72, -12.49], [-72, -12.5]]
SHAPES: tuple[Any, ...] = (
    None, {}, {"type": "Point", "coordinates": [-72, -12.5]}, {"type": "Polygon", "coordinates": []},
    *({"type": "Polygon", "coordinates": c} for c in ([[]], [RING[:1]], [RING[:3]], [RING], "x")),
    {"type": "Polygon", "coordinates": [[[x, y, 5] for x, y in RING]]}, {"type": "Curve", "coordinates": [1]},
    {"type": "GeometryCollection", "geometries": []}, {"type": "LineString", "coordinates": RING},
    {"type": "MultiPolygon", "coordinates": [[]]},
)  # fmt: skip
SYSTEMS = (
    "EPSG:32719", "EPSG:3857", "EPSG:4979", "EPSG:0", "nonsense", "urn:ogc:def:crs:OGC:1.3:CRS84", "",
    "EPSG:4326", "EPSG:2056",
)  # fmt: skip


def _spoil_geojson(path: Path, chance: Random) -> None:
    """One thing of a GeoJSON file is another: a geometry, coordinates, the CRS, properties, bytes."""
    content = json.loads(path.read_text())
    features = content["features"]
    feature = chance.choice(features)
    what = chance.randrange(9)
    if what <= 1:
        ring = feature["geometry"]["coordinates"][0]
        chance.choice(ring)[chance.randrange(2)] = chance.choice(NUMBERS)
    elif what == 2:
        feature["geometry"] = chance.choice(SHAPES)
    elif what == 3:
        content["crs"] = {"type": "name", "properties": {"name": chance.choice(SYSTEMS)}}
    elif what == 4:
        for each in features:
            each["geometry"]["coordinates"] = [
                [[y, x] for x, y in r] for r in each["geometry"]["coordinates"]
            ]
    elif what == 5:
        key = chance.choice(list(feature["properties"]))
        feature["properties"][key] = chance.choice((*CELLS, None, 1, 1.5, True, [1], {"a": 1}, 10**30))
    elif what == 6:
        key = chance.choice(list(feature["properties"]))
        for each in features:
            each["properties"].pop(key)
    elif what == 7:
        content["features"] = chance.choice(([], features[:1], features * 2, [None], [{}], None, [1], {}))
    path.write_text(json.dumps(content))
    if what == 8:
        path.write_bytes(_in_bytes(path.read_bytes(), chance))


def regions(world: SmallWorld, chance: Random) -> str:
    _spoil_geojson(world.folder / "regions.geojson", chance)
    return fault_of("plan", world.config, codes=(0, 2), words=("region", "cocal plan"))


def labels(world: SmallWorld, chance: Random) -> str:
    _spoil_geojson(world.folder / "labels.geojson", chance)
    return fault_of(
        "train",
        "--serial",
        world.config,
        codes=(0, 2),
        words=("labels.geojson", "sample", "fold", "class", "label"),
    )


def plots(world: SmallWorld, chance: Random) -> str:
    """Records of plots, polygons of a GeoJSON file."""
    content = json.loads((world.folder / "labels.geojson").read_text())
    for feature in content["features"]:
        feature["properties"] |= {"day": "2024-03-01", "cover": 80}
    (world.folder / "plots.geojson").write_text(json.dumps(content))
    _spoil_geojson(world.folder / "plots.geojson", chance)
    section = {
        "path": "plots.geojson", "design": "purposive",
        "matching": {"support": "plot", "positional_error": "ignore", "majority": 0.5},
        "columns": {"record_id": "id", "class": "class", "observed_on": "day", "cover": "cover"},
    }  # fmt: skip
    world.edit(
        lambda content: (content.update(records=section), content.pop("estimate"), content.pop("design"))
    )
    return fault_of("measure", "--serial", world.config, codes=(0, 2), words=("plots.geojson", "record"))


def series(world: SmallWorld, chance: Random) -> str:
    config = written(world.folder, invented(samples=24))
    _spoil_csv(world.folder / "series.csv", chance)
    return fault_of(
        "train", config, codes=(0, 2), words=("series.csv", "c.yaml", "sample", "fold", "class", "label")
    )


def checked(world: SmallWorld, chance: Random) -> str:
    """A file of `cocal records check`; 1 = it has faults, listed."""
    _spoil_csv(world.folder / "records.csv", chance)
    return fault_of("records", "check", world.folder / "records.csv", codes=(0, 1, 2), words=("records.csv",))


def estimated(world: SmallWorld, chance: Random) -> str:
    """Sample and strata of `cocal estimate`."""
    rng = Random(3)
    rows = [
        (s, m, rng.choice(("coca", "rest"))) for s, m in (("a", "coca"), ("b", "rest")) for _ in range(20)
    ]
    pd.DataFrame(rows, columns=["stratum", "map_class", "reference_class"]).assign(
        region=[f"R{i % 2}" for i in range(len(rows))], inclusion_probability=0.01
    ).to_csv(world.folder / "sample.csv", index=False)
    strata = "stratum,area_ha,pixels,pixel_area_m2\na,20,2000,100\nb,80,8000,100\n"
    (world.folder / "strata.csv").write_text(strata)
    _spoil_csv(world.folder / chance.choice(("sample.csv", "strata.csv", "strata.csv")), chance)
    files = ("--sample", world.folder / "sample.csv", "--strata", world.folder / "strata.csv")
    by = chance.choice(((), ("--by", "region")))
    estimator = ("--estimator", chance.choice(("stratified", "simple", "poststratified", "difference")))
    return fault_of("estimate", *files, *by, *estimator, codes=(0, 2), words=("cocal: ",))


def scheme(world: SmallWorld, chance: Random) -> str:
    path = world.folder / "scheme.yaml"
    content = yaml.safe_load(path.read_text())
    if chance.random() < 0.4:
        path.write_bytes(_in_bytes(path.read_bytes(), chance))
    else:
        values = (*CELLS, None, 0, -1, 255, 1.5, True, [], {}, [1], float("inf"), 10**30)
        within = chance.choice([content, content["definition"], *content["classes"]])
        key = chance.choice(list(within))
        within[chance.choice((key, key, "minimum_cover", ""))] = chance.choice(values)
        path.write_text(yaml.safe_dump(content))
    return fault_of("plan", world.config, codes=(0, 2), words=("scheme",))


KINDS: tuple[Callable[[SmallWorld, Random], str], ...] = (
    _of_csv("records.csv", "measure", "--serial"), _of_csv("strata.csv", "measure", "--serial"),
    _of_csv("official.csv", "compare", "--serial"), sheet, plots, regions, labels, series,
    checked, estimated, scheme,
)  # fmt: skip


def one(seed: int, folder: Path) -> str:
    """Alter one table of the land; see `tests.fuzz`."""
    wrong = KINDS[seed % len(KINDS)](land().copied(folder / "land"), Random(seed))
    return wrong and f"{KINDS[seed % len(KINDS)].__name__}: {wrong}"
