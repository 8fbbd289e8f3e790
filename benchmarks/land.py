"""A land to measure on: an archive of 20 dates x 10 bands + SCL, its regions, and two forests trained on
cocal's features of it.

The archive is written by cocal and holds plain GeoTIFFs with STAC items, so that other libraries read the
same files. Fields of six classes with a course over the year of their own, pixels that differ, clouds, a
swath that ends: INVENTED.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import joblib
import numpy as np
import pandas as pd
import rasterio
import shapely
import yaml
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from benchmarks.bands import COARSE, FINE, INDICES
from cocal.archive import SIMULATED, band_writer, list_scenes, scene_item, scene_store, write_catalog
from cocal.classify import Model, load_model, save_model, train
from cocal.classify.artefact import digest, pack
from cocal.classify.contract import contract_of, self_test_of
from cocal.classify.settings import TrainSettings
from cocal.contracts import Period
from cocal.features import FeatureSettings, feature_names
from cocal.grid import Window
from cocal.run.worker.tiles import FeatureTask, block_features
from cocal.scheme import read_scheme
from cocal.store import atomic_path, write_json

SIDES = {1: 1026, 4: 2052, 16: 4104, 120: 10_980}
"""Mpx -> side of the land in pixels of 10 m."""

TILES = {1026: 1026, 2052: 2052, 4104: 2052, 10_980: 1536}
"""Side of the land -> side of the tiles it is cut into."""

CLEAR = ("dark", "vegetation", "bare", "water", "unclassified")
CLASSES = ("coca", "forest", "regrowth", "pasture", "other_crops", "bare")
FORESTS: Mapping[str, Mapping[str, int]] = {
    "300 x 18": {"n_estimators": 300, "max_depth": 18},
    "100 x 12": {"n_estimators": 100, "max_depth": 12, "min_samples_leaf": 5},
}
DISTILLED = "distilled"
"""A small forest that learned from one of 300 x 18, as `cocal train` makes it with `distil: true`."""
SCHEME = Path(__file__).parents[1] / "configs" / "schemes" / "border-coca.yaml"
PERIOD = Period("2024", date(2024, 1, 1), date(2024, 12, 31))
DAYS = tuple(date(2024, 1, 8) + timedelta(days=18 * i) for i in range(20))

_EPSG, _LEFT, _TOP, _FIELDS, _STRIP = 32718, 513_000, 8_597_880, 4096, 768
_GROUND = np.array([300, 600, 500, 3000, 1300, 2300, 2800, 3100, 1800, 1000])
"""Digital numbers of the ten bands, fine ones first; red and red edge never meet, so that every index has a
value.
"""

_CLOUD, _CLOUDY, _VEGETATION = 4000, 9, 4
_TRAINING_WINDOWS, _TRAINING_PIXELS, _WRONG = 6, 24_000, 0.2
"""One label in five is wrong, as trees of a usual size (about 5,000 nodes at depth 18) need."""


def feature_settings() -> FeatureSettings:
    """96 features: quarterly medians of ten bands and two indices, four statistics of twelve indices."""
    names = [f"{v}@*" for v in (*FINE, *COARSE, "NDVI", "NDMI")]
    names += [f"{i}.{s}" for i in INDICES for s in ("p10", "median", "p90", "std")]
    return FeatureSettings.model_validate(
        {
            "mask": {"clear": CLEAR, "dilate": [], "dilate_px": 0},
            "windows": "quarterly",
            "composite": "median",
            "features": names,
            "fill": {"*": "none"},
        }
    )


@dataclass(frozen=True)
class Land:
    """A land on disk."""

    folder: Path
    side: int

    @property
    def window(self) -> Window:
        tile_m = TILES.get(self.side, self.side) * 10
        return Window(_EPSG, _LEFT // tile_m * tile_m, _TOP // tile_m * tile_m, self.side, self.side)

    @property
    def mpx(self) -> float:
        return self.side**2 / 1e6

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def config(self, forest: str) -> Path:
        return self.folder / f"{slug(forest)}.yaml"

    def run_folder(self, forest: str) -> Path:
        return self.folder / "runs" / slug(forest)


def slug(forest: str) -> str:
    return "forest-" + forest.replace(" ", "")


@dataclass(frozen=True)
class Look:
    """What the ground shows, per date: digital numbers by field and band; pixels differ by `noise`."""

    classes: NDArray[np.intp]
    tables: NDArray[np.uint16]
    waves: NDArray[np.float64]
    noise: NDArray[np.uint16]


def invent_look(side: int) -> Look:
    """The same fields and dates for every side."""
    rng = np.random.default_rng(6)
    classes, bands = rng.integers(0, len(CLASSES), _FIELDS), len(_GROUND)
    base = 0.10 * rng.normal(size=(len(CLASSES), bands))[classes] + 0.08 * rng.normal(size=(_FIELDS, bands))
    height = 0.06 * rng.normal(size=(len(CLASSES), bands))[classes] + 0.04 * rng.normal(size=(_FIELDS, bands))
    phase = rng.uniform(0, 2 * np.pi, len(CLASSES))[classes] + rng.normal(size=_FIELDS)
    angles = np.array([2 * np.pi * d.timetuple().tm_yday / 366 for d in DAYS])
    course = np.sin(angles[:, None] + phase)[:, :, None] * height
    tables = np.rint(_GROUND * np.clip(1 + base + course, 0.7, 1.3)).astype(np.uint16)
    waves = rng.uniform(-1, 1, (len(DAYS), 5, 3)) * [0.02, 0.02, np.pi]
    noise = rng.normal(150, 45, (min(side, 4 * _STRIP) + 512, side + 512)).clip(0, 300).astype(np.uint16)
    return Look(classes, tables, waves, noise)


def field_numbers(rows: NDArray[np.intp], side: int) -> NDArray[np.int64]:
    """(y, x) number of the field of each 20 m pixel: crooked cells of 240 m."""
    y, x = rows[:, None], np.arange(side // 2)[None, :]
    row, column = (y + 5 * np.sin(x / 9)) // 12, (x + 5 * np.sin(y / 7)) // 12
    return ((row * 7919 + column * 104_729) % _FIELDS).astype(np.int64)


def _cloudy(look: Look, day: int, rows: NDArray[np.intp], side: int) -> NDArray[np.bool_]:
    """(y, x) of 20 m pixels under clouds: a tenth to a half of them, in patches of a few hundred metres."""
    y, x = rows[:, None], np.arange(side // 2)[None, :]
    height = sum(np.sin(a * x + b * y + c) for a, b, c in look.waves[day])
    return np.asarray(height > 0.6 + 0.5 * np.cos(day))


def _strips(side: int) -> Iterator[slice]:
    yield from (slice(top, min(top + _STRIP, side)) for top in range(0, side, _STRIP))


def write_land(folder: Path, side: int) -> Land:
    """The archive, the regions and the configurations; a land that is there already stays."""
    land = Land(folder / f"land-{side}", side)
    if not (land.folder / "ready").exists():
        shutil.rmtree(land.folder, ignore_errors=True)
        look, rng = invent_look(side), np.random.default_rng(side)
        for day in range(len(DAYS)):
            _write_scene(land, look, day, rng)
        write_catalog(land.archive)
        _write_regions(land)
        (land.folder / "ready").touch()
    for forest in (*FORESTS, DISTILLED):
        _write_config(land, forest, folder / slug(forest))
    return land


def _write_scene(land: Land, look: Look, day: int, rng: np.random.Generator) -> None:
    scene_id = f"SIM-{DAYS[day]:%Y%m%d}"
    sizes = dict.fromkeys(FINE, 10) | dict.fromkeys((*COARSE, "scl"), 20)
    acquired = datetime(DAYS[day].year, DAYS[day].month, DAYS[day].day, 15, tzinfo=UTC)
    shifts = {name: rng.integers(0, 512, 2) for name in sizes}
    with scene_store(land.archive).commit(scene_id, {"side": land.side, "day": day}) as home:
        for number, (name, resolution) in enumerate(sizes.items()):
            own, dtype = land.window.at(resolution), "uint8" if name == "scl" else "uint16"
            with band_writer(home / f"{name}.tif", own, dtype) as target:
                for rows in _strips(land.side):
                    half = np.arange(rows.start // 2, (rows.stop + 1) // 2)
                    cloudy, numbers = _cloudy(look, day, half, land.side), field_numbers(half, land.side)
                    gone = np.zeros(land.side // 2, dtype=bool)
                    gone[int(land.side * 0.45) if day % 5 == 4 else land.side :] = True
                    if name == "scl":
                        values = np.where(cloudy, _CLOUDY, _VEGETATION)
                    else:
                        values = look.tables[day, :, number][numbers] + _CLOUD * cloudy
                    values = np.where(gone, 0, values).astype(dtype)
                    if resolution == 10:
                        values = values.repeat(2, axis=0).repeat(2, axis=1)
                    if name != "scl":
                        values = _with_noise(values, look.noise, shifts[name], rows.start)
                    top = rows.start * 10 // resolution
                    box = rasterio.windows.Window(0, top, values.shape[1], values.shape[0])
                    target.write(values, 1, window=box)
        item = scene_item(scene_id, acquired, land.window, sizes, {SIMULATED: True})
        write_json(home / f"{scene_id}.json", item)


def _with_noise(
    values: NDArray[np.uint16], noise: NDArray[np.uint16], shift: NDArray[np.int64], row: int
) -> NDArray[np.uint16]:
    top, left = (row + int(shift[0])) % (noise.shape[0] - values.shape[0] + 1), int(shift[1])
    part = noise[top : top + values.shape[0], left : left + values.shape[1]]
    return np.where(values > 0, values + part, values)


def _write_regions(land: Land) -> None:
    """40 regions, 5 x 8, a metre within the land at its edge."""
    w = land.window
    xs, ys = np.linspace(w.left + 1, w.right - 1, 6), np.linspace(w.bottom + 1, w.top - 1, 9)
    boxes = [
        shapely.segmentize(shapely.box(xs[i], ys[j], xs[i + 1], ys[j + 1]), 500)
        for j in range(8)
        for i in range(5)
    ]
    ids = [f"R{n:02d}" for n in range(len(boxes))]
    table = gpd.GeoDataFrame({"region_id": ids, "name": ids}, geometry=boxes, crs=f"EPSG:{_EPSG}")
    table.to_file(land.folder / "regions.gpkg", layer="regions")


def _write_config(land: Land, forest: str, model: Path) -> None:
    source = {"path": "regions.gpkg", "id": "region_id", "name": "name", "country_code": "SIM"}
    tile = TILES.get(land.side, land.side)
    content: dict[str, Any] = {
        "name": slug(forest),
        "runs": "runs",
        "archive": "archive",
        "scheme": str(SCHEME.resolve()),
        "periods": [{"name": PERIOD.name, "start": PERIOD.start, "end": PERIOD.end}],
        "regions": {"sliver_m": 0, "sources": [source]},
        "grid": {"tile_px": tile, "block_px": min(tile, 768)},
        "index": feature_settings().model_dump(mode="json"),
        "classify": {"model": str(model.resolve()), "min_clear": 4, "missing": "unobserved"},
    }
    content["index"]["mask"].pop("max_cloud_probability")
    with atomic_path(land.config(forest)) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def write_forests(land: Land) -> None:
    """Both forests, as cocal's models and as joblib files beside the land; those that are there already
    stay.
    """
    homes = {forest: land.folder.parent / slug(forest) for forest in FORESTS}
    if all((home / "forest.joblib").exists() for home in homes.values()):
        return
    scheme, settings = read_scheme(SCHEME), feature_settings()
    table, names, plain = (
        _training_table(land, settings),
        feature_names(settings, PERIOD),
        settings.model_dump(mode="json"),
    )
    small = _trained(table, {"n_estimators": 5})
    values, codes = table[names].to_numpy(np.float32), table["label"].map(scheme.codes).to_numpy(np.uint8)
    for forest, home in homes.items():
        estimator = RandomForestClassifier(**FORESTS[forest], random_state=0, n_jobs=-1).fit(values, codes)
        estimator.set_params(n_jobs=1)
        contract = contract_of(names, plain, scheme.sha256, small.card.classes)
        artefact = pack(estimator, contract)
        told = {"id": slug(forest), "parameters": {}, "applicability": None, "sha256": digest(artefact)}
        told |= {
            "self_test": self_test_of(estimator, values[:8]),
            "artefact_sha256": hashlib.sha256(artefact).hexdigest(),
        }
        home.mkdir(parents=True, exist_ok=True)
        save_model(Model(small.card.model_copy(update=told), artefact), home)
        joblib.dump(estimator, home / "forest.joblib")


def write_distilled(land: Land) -> Model:
    """A model that `cocal train` distilled from a forest of 300 x 18, on the same samples; one that is there
    already stays.
    """
    home = land.folder.parent / slug(DISTILLED)
    if not (home / "card.json").exists():
        table = _training_table(land, feature_settings())
        home.mkdir(parents=True, exist_ok=True)
        save_model(_trained(table, FORESTS["300 x 18"], distil=True), home)
    return load_model(home)


def _trained(table: pd.DataFrame, parameters: Mapping[str, int], **changes: Any) -> Model:
    """`cocal.train` on the training table."""
    scheme, settings = read_scheme(SCHEME), feature_settings()
    origin = {
        "source": "invented", "licence": "CC0-1.0", "period": "2024", "sample_sha256": "", "simulated": True
    }  # fmt: skip
    stated = {
        "id": "benchmark", "estimator": "random_forest", "parameters": dict(parameters), "seed": 1,
        "missing": "drop",
        "null_index": "best", "validation": {"block_m": 1000, "folds": 2, "buffer_m": 0},
    }  # fmt: skip
    return train(
        table, TrainSettings.model_validate(stated | changes), scheme=scheme,
        feature_names=feature_names(settings, PERIOD),
        feature_settings=settings.model_dump(mode="json"), provenance=origin,
    )  # fmt: skip


def _training_table(land: Land, settings: FeatureSettings) -> pd.DataFrame:
    """Pixels of a few windows with cocal's features and their true class, as `train` takes them."""
    rng, look = np.random.default_rng(1), invent_look(land.side)
    task = FeatureTask(PERIOD, tuple(list_scenes(land.archive)), settings, None)
    names, parts, w = feature_names(settings, PERIOD), [], land.window
    size = min(384, land.side // 2 // 6 * 6)
    for n in range(_TRAINING_WINDOWS):
        row, column = (int(v) * 6 for v in rng.integers(0, (land.side - size) // 6 + 1, 2))
        block = Window(_EPSG, w.left + column * 10, w.top - row * 10, size, size)
        values = block_features(block, task)["features"].values
        seen = np.argwhere(np.isfinite(values).all(axis=0))
        chosen = rng.choice(seen, min(len(seen), _TRAINING_PIXELS // _TRAINING_WINDOWS), replace=False)
        numbers = field_numbers(np.arange(land.side // 2), land.side)
        y, x = chosen[:, 0] + row, chosen[:, 1] + column
        true = look.classes[numbers[y // 2, x // 2]]
        wrong = rng.random(len(true)) < _WRONG
        labels = np.array(CLASSES)[np.where(wrong, rng.integers(0, len(CLASSES), len(true)), true)]
        part = pd.DataFrame(values[:, chosen[:, 0], chosen[:, 1]].T, columns=names)
        place = {"label": labels, "sample_id": [f"{n}-{i}" for i in range(len(labels))], "epsg": _EPSG}
        parts.append(part.assign(**place, x=w.left + 10.0 * x + 5, y=w.top - 10.0 * y - 5))
    return pd.concat(parts, ignore_index=True).drop_duplicates(["x", "y"], ignore_index=True)
