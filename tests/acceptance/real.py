"""Acceptance on real imagery and real labels, by the program itself: requirements of issue 2.

Every choice (features, estimator, edge pixels) is made once and holds for all splits and seeds; the plain
forest beside it sees the raw numbers of the same places with the same seed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
import xarray as xr
import yaml
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.merge import merge
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from cocal.archive import list_scenes
from cocal.checksums import sha256_file
from cocal.classify import read_series, train
from cocal.classify.settings import SeriesSamples, TrainSettings
from cocal.config import read_config
from cocal.contracts import Period
from cocal.features import FeatureSettings, feature_names, series_features
from cocal.run import run
from cocal.scheme import ClassScheme

DATA = Path(os.environ.get("COCAL_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
AMAZON, CUBE = DATA / "amazon_s2", DATA / "worldcereal_cube"

SPLITS, SEEDS, FOREST, PLAIN_BORDER_FOREST = range(10), range(20), 300, 500
LOWEST_DIFFERENCE = -0.005

AMAZON_BANDS = {
    "coastal": "B1", "blue": "B2", "green": "B3", "red": "B4", "rededge071": "B5", "rededge075": "B6",
    "rededge078": "B7", "nir": "B8", "nir08": "B8A", "nir09": "B9", "swir16": "B11", "swir22": "B12",
}  # fmt: skip
CUBE_BANDS = {
    "blue": "S2-L2A-B02", "green": "S2-L2A-B03", "red": "S2-L2A-B04", "rededge071": "S2-L2A-B05",
    "rededge075": "S2-L2A-B06", "rededge078": "S2-L2A-B07", "nir": "S2-L2A-B08", "swir16": "S2-L2A-B11",
    "swir22": "S2-L2A-B12",
}  # fmt: skip
SERIES_BANDS = {
    "blue": "B02", "green": "B03", "red": "B07", "nir": "B08", "nir08": "B8A", "swir16": "B11",
    "swir22": "B12",
}  # fmt: skip
INDICES = ("NDVI", "EVI2", "NDMI", "MNDWI", "NBR2", "BSI")


# The configuration of a run, as a user writes it


def class_scheme(name: str, target: str, keys: tuple[str, ...]) -> dict[str, Any]:
    classes = [
        {"code": code, "key": key, "name_es": key, "name_en": key, "colour": f"#{code * 40:02x}8040"}
        for code, key in enumerate(keys, 1)
    ]
    return {"id": name, "target": target, "definition": {"counts": target}, "classes": classes}


def write_config(folder: Path, name: str, settings: dict[str, Any]) -> Path:
    """A run's YAML in `folder`, which holds its scheme, its regions, its archive and its runs."""
    content = {
        "name": name, "runs": "runs", "archive": "archive", "scheme": "scheme.yaml",
        "regions": {
            "sliver_m": 0,
            "sources": [{"path": "regions.geojson", "id": "id", "name": "id", "country_code": "XX"}],
        },
        "grid": {"tile_px": 384, "block_px": 192},
        **settings,
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def write_ground(folder: Path, scheme: dict[str, Any], bounds: tuple[float, ...], crs: Any) -> None:
    """The class scheme, and one region: the rectangle that the image covers."""
    (folder / "scheme.yaml").write_text(yaml.safe_dump(scheme), encoding="utf-8")
    footprint = gpd.GeoDataFrame({"id": ["footprint"]}, geometry=[shapely.box(*bounds)], crs=crs)
    footprint.to_crs(4326).to_file(folder / "regions.geojson", driver="GeoJSON")


def cocal_run(config: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("cocal"), "run", config, "--serial"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def refusal(config: Path, *words: str) -> str:
    """What `cocal run` found wrong with a configuration, checked to be one message that holds `words`."""
    done = cocal_run(config)
    message = " ".join(done.stderr.partition("cocal: ")[2].split())
    assert done.returncode == 2, f"{config.name}: exit code {done.returncode}: {done.stderr[-500:]}"
    assert "Traceback" not in done.stderr, done.stderr[-500:]
    assert all(word in message for word in words), f"{config.name}: not {words} in {done.stderr[-500:]!r}"
    assert not list(config.parent.glob("archive/scenes/*/manifest.json")), "a refused scene was committed"
    return f"{message.split(' expected: ')[0]} ({message.split(' found: ')[1].split(' do: ')[0]})"


def mapped_codes(root: Path, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The class code at places (m, in the zone of the map) on the maps that run.json lists."""
    codes = np.zeros(len(x), dtype=np.uint8)
    for unit in json.loads((root / "run.json").read_text())["maps"].values():
        with rasterio.open(root / unit / "class.tif") as tile:
            codes += np.array([value[0] for value in tile.sample(np.column_stack([x, y]))], dtype=np.uint8)
    return codes


def differences(measure: str, scores: list[dict[str, float]]) -> NDArray[np.float64]:
    return np.array([row[f"{measure} ours"] - row[f"{measure} plain"] for row in scores])


def told(measure: str, scores: list[dict[str, float]]) -> str:
    """The means of both, and the mean and standard deviation of the paired differences."""
    ours, plain = (np.mean([row[f"{measure} {name}"] for row in scores]) for name in ("ours", "plain"))
    paired = differences(measure, scores)
    return (
        f"{measure} {ours:.4f}, plain {plain:.4f}, difference {paired.mean():+.4f} (sd "
        f"{paired.std(ddof=1):.4f})"
    )


# Real imagery 1: one Sentinel-2 scene in Para, its offset still inside

AMAZON_CLASSES = ("forest", "village", "water", "dryout")
AMAZON_EPSG = 32721
AMAZON_FOREST = {"n_estimators": FOREST, "min_samples_leaf": 2, "class_weight": "balanced_subsample"}
"""The forest of configs/demo.yaml: classes count alike, however large their polygons."""
MADE_SCENES = (
    "tests/scenes/test_real_scenes.py::"
    "test_the_amazon_scene_made_dark_wet_snowy_hazy_or_cloudy_passes_in_both_encodings"
)


def amazon_settings(seed: int, *, offset: float | None) -> dict[str, Any]:
    """The twelve bands of the one date: indices of them tell trees nothing new. Edge pixels train, because
    they
    are tested, and the smallest polygons have little else. Chosen on splits 100 to 119, not on those below.
    """
    scene = {
        "kind": "multiband", "name": "amazon", "path": str(AMAZON / "amazon_s2_l2a_12bands.tif"),
        "date": "2022-07-01",
        "bands": AMAZON_BANDS, "scale": 1e-4, "resampling": "bilinear",
    }  # fmt: skip
    return {
        "periods": [{"name": "2022", "start": "2022-01-01", "end": "2022-12-31"}],
        "imports": [scene if offset is None else scene | {"offset": offset}],
        "index": {
            "mask": "none", "windows": "season", "composite": "median", "fill": {"*": "none"},
            "features": [f"{name}@season" for name in AMAZON_BANDS],
        },
        "train": {
            "samples": {
                "kind": "polygons", "path": f"labels{seed}.geojson", "label_column": "class",
                "edge_pixels": "keep",
                "source": "RStoolbox reference polygons", "licence": "GPL-3.0",
            },
            "model": {
                "id": "amazon", "estimator": "random_forest", "parameters": AMAZON_FOREST, "seed": seed,
                "missing": "drop", "null_index": "best",
                "validation": {"block_m": 60, "folds": 2, "buffer_m": 0},
            },
        },
        "classify": {"min_clear": 1, "missing": "unobserved"},
    }  # fmt: skip


def half_of_each_class(classes: NDArray[np.str_], seed: int) -> NDArray[np.bool_]:
    """(polygon) True for half of the polygons of each class, the larger half where the number is odd."""
    random, chosen = np.random.default_rng(seed), np.zeros(len(classes), dtype=bool)
    for key in sorted(set(classes)):
        own = random.permutation(np.flatnonzero(classes == key))
        chosen[own[: (len(own) + 1) // 2]] = True
    return chosen


@dataclass(frozen=True)
class ReferencePixels:
    """The native pixels whose centre lies in a polygon: raw bands, place (UTM), class and polygon of each."""

    values: NDArray[np.uint16]
    places: gpd.GeoSeries
    classes: NDArray[np.str_]
    polygon: NDArray[np.int64]


def amazon_pixels(polygons: gpd.GeoDataFrame, raster: rasterio.DatasetReader) -> ReferencePixels:
    numbered = [(geometry, number) for number, geometry in enumerate(polygons.geometry, 1)]
    burnt = rasterize(numbered, raster.shape, transform=raster.transform, dtype="int16")
    rows, columns = np.nonzero(burnt)
    polygon = burnt[rows, columns].astype(np.int64) - 1
    centres = gpd.points_from_xy(*(raster.transform @ (columns + 0.5, rows + 0.5)))
    places = gpd.GeoSeries(centres, crs=raster.crs).to_crs(AMAZON_EPSG)
    values = raster.read()[:, rows, columns].T
    return ReferencePixels(values, places, polygons["class"].to_numpy(str)[polygon], polygon)


def score_split(
    root: Path, pixels: ReferencePixels, trains: NDArray[np.bool_], seed: int
) -> dict[str, float]:
    """Accuracy and macro-F1 of the run's map and of the plain forest on the pixels that did not train."""
    truth = pixels.classes[~trains]
    codes = mapped_codes(root, pixels.places.x, pixels.places.y)[~trains]
    assert codes.all(), f"split {seed}: {(codes == 0).sum()} test pixels were not observed"
    plain = RandomForestClassifier(FOREST, random_state=seed, n_jobs=-1)
    plain.fit(pixels.values[trains], pixels.classes[trains])
    answers = {"ours": np.array(AMAZON_CLASSES)[codes - 1], "plain": plain.predict(pixels.values[~trains])}
    found = {}
    for name, answer in answers.items():
        found[f"accuracy {name}"] = float(accuracy_score(truth, answer))
        found[f"macro-F1 {name}"] = float(f1_score(truth, answer, average="macro"))
    return found


def amazon_scene_offset_guard_and_accuracy() -> str:
    """Refused without its offset and with a wrong one; as accurate as a plain forest with the right one."""
    polygons = gpd.read_file(AMAZON / "amazon_s2_training.geojson")
    classes, scores = polygons["class"].to_numpy(str), []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with rasterio.open(AMAZON / "amazon_s2_l2a_12bands.tif") as raster:
            pixels = amazon_pixels(polygons, raster)
            scheme = class_scheme("amazon", "forest", AMAZON_CLASSES)
            write_ground(folder, scheme, raster.bounds, raster.crs)
        for seed in SPLITS:
            polygons[half_of_each_class(classes, seed)].to_file(folder / f"labels{seed}.geojson")
        unstated = refusal(write_config(folder, "unstated", amazon_settings(0, offset=None)), "`offset:`")
        left_in = refusal(
            write_config(folder, "zero", amazon_settings(0, offset=0)), "offset of 0", "blue 0.1"
        )
        for seed in SPLITS:
            config = write_config(folder, "amazon", amazon_settings(seed, offset=-1000))
            root = run_split(config, first=seed == 0)
            trains = half_of_each_class(classes, seed)[pixels.polygon]
            scores.append(score_split(root, pixels, trains, seed))
        (scene,) = list_scenes(folder / "archive")
    assert scene.properties["cocal:warped"], "the item does not say that it was warped"
    figures = (
        f"{len(SPLITS)} splits of {len(polygons)} polygons: {told('accuracy', scores)}; "
        f"{told('macro-F1', scores)}; "
        f"warped to EPSG:{scene.window.epsg}, {scene.properties['cocal:resampling']}, as its item says; "
        "imported once, "
        f"used in {len(SPLITS)} runs; refused: {unstated}; {left_in}; dark, wet, snowy, hazy, overcast: "
        f"{MADE_SCENES}"
    )
    for measure in ("accuracy", "macro-F1"):
        difference = float(differences(measure, scores).mean())
        assert difference >= LOWEST_DIFFERENCE, f"{measure} {difference:+.4f}: {figures}"
    return figures


def run_split(config: Path, *, first: bool) -> Path:
    """The folder of the run: the first whole and by the command, the others up to the map."""
    if first:
        done = cocal_run(config)
        assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-500:]}"
        return config.parent / "runs" / "amazon"
    root = run(read_config(config), last="classify").folder
    stages = json.loads((root / "run.json").read_text())["stages"]
    imported = stages["import"]["made"], stages["import"]["reused"]
    assert imported == (0, 1), f"imports made and reused: {imported}"
    assert stages["train"]["made"] == 1, f"a model for other labels was reused: {stages['train']}"
    return root


# Real imagery 2: the WorldCereal cube, two months without any image

CUBE_TRAINED, CUBE_TESTED = slice(0, 45), slice(55, 100)
CUBE_CLASSES = ("cropland", "other")
EMPTY_MONTHS = ("12", "01")


def cube_settings(features: list[str], offset: float = 0) -> dict[str, Any]:
    return {
        "periods": [{"name": "2021", "start": "2020-11-01", "end": "2021-10-31"}],
        "imports": [
            {"kind": "netcdf", "name": "cube", "path": str(CUBE / "worldcereal_s2_s1_dem_12m.nc"),
                "time": "t",
             "bands": CUBE_BANDS, "scale": 1e-4, "offset": offset}
        ],
        "index": {"mask": "none", "windows": "monthly", "composite": "median", "fill": {"*": "none"},
                  "features": features},
        "train": {
            "samples": {
                "kind": "points", "path": "labels.gpkg", "label_column": "class",
                "source": "WorldCereal's own map, a peer's answer", "licence": "MIT",
            },
            "model": {
                "id": "cube", "estimator": "random_forest", "parameters": {"n_estimators": FOREST}, "seed": 0,
                "missing": "drop", "null_index": "best",
                "validation": {"block_m": 150, "folds": 2, "buffer_m": 0},
            },
        },
        "classify": {"min_clear": 6, "missing": "unobserved"},
        "grid": {"tile_px": 120, "block_px": 120},
    }  # fmt: skip


def year_features() -> list[str]:
    """The year's level, lows, highs and spread. Chosen on columns 0 to 44, one half of them against the
    other.
    """
    return [f"{name}.{s}" for name in (*CUBE_BANDS, *INDICES) for s in ("p10", "median", "p90", "std")]


def month_features() -> list[str]:
    """Every month of every variable, and medians that can be computed by hand."""
    return [f"{name}@*" for name in (*CUBE_BANDS, *INDICES)] + ["NDVI.median", "red.median", "nir.median"]


def worldcereal_cube_agreement() -> str:
    """Agreement with the peer on ground that did not train; months without an image stay missing."""
    with xr.open_dataset(CUBE / "worldcereal_s2_s1_dem_12m.nc", engine="h5netcdf", decode_cf=False) as cube:
        raw = np.stack([cube[name].values.view(np.uint16) for name in CUBE_BANDS.values()])
        x, y = np.meshgrid(cube["x"].values, cube["y"].values)
    with xr.open_dataset(
        CUBE / "worldcereal_expected_cropland.nc", engine="h5netcdf", decode_cf=False
    ) as answer:
        peer = np.where(next(iter(answer.data_vars.values())).values[0] == 1, *CUBE_CLASSES)
    months = np.flatnonzero((raw != 65535).all(axis=(0, 2, 3)))
    trained, tested = np.s_[:, CUBE_TRAINED], np.s_[:, CUBE_TESTED]

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bounds = (x.min() - 5, y.min() - 5, x.max() + 5, y.max() + 5)
        write_ground(folder, class_scheme("cube", "cropland", CUBE_CLASSES), bounds, 32631)
        points = gpd.points_from_xy(x[trained].ravel(), y[trained].ravel(), crs=32631)
        labels = gpd.GeoDataFrame({"class": peer[trained].ravel()}, geometry=points)
        labels.to_file(folder / "labels.gpkg", driver="GPKG")
        wrong = write_config(folder, "wrong", cube_settings(year_features(), offset=-1000))
        refused = refusal(wrong, "offset of -1000", "% below")
        root = run(read_config(write_config(folder, "cube", cube_settings(year_features())))).folder
        codes = mapped_codes(root, x[tested].ravel(), y[tested].ravel())
        seen = {f"{scene.day:%m}" for scene in list_scenes(folder / "archive")}
        assert seen == {f"{m:02d}" for m in range(1, 13)} - {*EMPTY_MONTHS}, (
            f"scenes of the months {sorted(seen)}"
        )
        monthly = run(
            read_config(write_config(folder, "months", cube_settings(month_features()))), last="index"
        )
        checked = check_missing_months(monthly.folder, raw, bounds)
    table = raw[:, months].reshape(-1, *peer.shape)
    plain = RandomForestClassifier(FOREST, random_state=0, n_jobs=-1)
    plain.fit(table[:, *trained].reshape(len(table), -1).T, peer[trained].ravel())
    truth = peer[tested].ravel()
    answers = {
        "ours": np.array(["unobserved", *CUBE_CLASSES])[codes],
        "plain": plain.predict(table[:, *tested].reshape(len(table), -1).T),
    }
    agreement = "; ".join(
        f"{name} {accuracy_score(truth, answer):.4f}, kappa {cohen_kappa_score(truth, answer):.4f}"
        for name, answer in answers.items()
    )
    return f"agreement with the peer on {len(truth)} pixels: {agreement}; {checked}; refused: {refused}"


def check_missing_months(root: Path, raw: NDArray[np.uint16], bounds: tuple[float, ...]) -> str:
    """The features as written: missing just where no image shows the month, statistics of the months seen.

    `raw` is (band, month from November, y, x) as the file has it: 65535 and 0 are no data.
    """
    paths = sorted(root.glob("features/*/*/*/features.tif"))
    with rasterio.open(paths[0]) as first:
        names = first.descriptions
    found = dict(zip(names, merge(paths, bounds=bounds)[0], strict=True))
    seen = ((raw != 65535) & (raw != 0)).all(axis=0)
    calendar = [f"{(month + 10) % 12 + 1:02d}" for month in range(12)]
    wrong = [
        name for name in names
        if (
            np.isnan(found[name])
            != (~seen[calendar.index(name[-2:])] if "@" in name else ~seen.any(axis=0))
        ).any()
    ]  # fmt: skip
    assert not wrong, f"missing where an image is, or present where none is: {wrong}"
    red, nir = (np.where(seen, raw[list(CUBE_BANDS).index(b)] / 10_000, np.nan) for b in ("red", "nir"))
    worst = 0.0
    for name, course in (("NDVI", (nir - red) / (nir + red)), ("red", red), ("nir", nir)):
        worst = max(worst, float(np.abs(found[f"{name}.median"] - np.nanmedian(course, axis=0)).max()))
    assert worst < 1e-6, f"medians differ from those of the months seen by up to {worst:.2e}"
    empty = [name for name in names if name.endswith(tuple(f"@{month}" for month in EMPTY_MONTHS))]
    partly = [f"{calendar[m]}: {n}" for m, n in enumerate((~seen).sum(axis=(1, 2))) if 0 < n < seen[0].size]
    return (
        f"no scene of December and January; {len(empty)} features of these months missing in all pixels (and "
        "in "
        f"pixels with a 0 in another month, {', '.join(partly)}); medians are those of the months seen to "
        f"{worst:.0e}"
    )


# Real labels: time series on both sides of the border


BORDER_CLASSES = ("forest", "nonforest", "deforestation")


def series_settings(path: Path) -> SeriesSamples:
    return SeriesSamples(
        kind="series", path=path, label_column="label", id_column="sample_id", date_column="date",
        longitude_column="lon", latitude_column="lat", bands=SERIES_BANDS, scale=1,
        labels={"Forest": "forest", "NonForest": "nonforest", "Deforestation": "deforestation"},
        source="e-sensing, samples of T20LKP", licence="GPL-2.0",
    )  # fmt: skip


def border_features() -> FeatureSettings:
    """Each month's bands and indices, and the year's lows, highs and spread. Chosen on the Brazilian
    points.
    """
    variables = (*SERIES_BANDS, *INDICES)
    wanted = ("@*", ".p10", ".median", ".p90", ".std")
    return FeatureSettings(
        mask=None, windows="monthly", composite="median", fill={"*": "none"},
        features=tuple(f"{name}{suffix}" for suffix in wanted for name in variables),
    )  # fmt: skip


def border_forest(seed: int) -> TrainSettings:
    return TrainSettings(
        id="t20lkp", estimator="random_forest", parameters={"n_estimators": FOREST}, seed=seed,
        missing="drop",
        null_index="NDVI.p10", validation={"block_m": 15_000, "folds": 2, "buffer_m": 0},
    )  # fmt: skip


def raw_table(path: Path, sample_ids: pd.Series) -> NDArray[np.float64]:
    """(sample, column x date) every number of the file, bands and its own indices."""
    table = pd.read_parquet(path)
    columns = table.columns.difference(["sample_id", "date", "label", "lon", "lat"])
    return (
        table.pivot(index="sample_id", columns="date", values=columns).loc[sample_ids.astype(int)].to_numpy()
    )


def border_scores(truth: NDArray[np.str_], answers: dict[str, NDArray[Any]]) -> dict[str, float]:
    found = {}
    for name, answer in answers.items():
        forest, other = f1_score(truth, answer, labels=BORDER_CLASSES[:2], average=None)
        found[f"accuracy {name}"] = float(accuracy_score(truth, answer))
        found[f"Forest F1 {name}"], found[f"NonForest F1 {name}"] = float(forest), float(other)
    return found


def t20lkp_across_the_border() -> str:
    """Trained on the Brazilian points, tested on the Bolivian ones, 20 seeds, paired with a plain forest."""
    path = DATA / "samples" / "t20lkp_s2_481_11bands_36dates.parquet"
    scheme = ClassScheme.model_validate(class_scheme("t20lkp", "forest", BORDER_CLASSES))
    series, labels = read_series(series_settings(path), scheme)
    period = Period("2018-2019", *pd.to_datetime(series["time"].values[[0, -1]]).date)
    settings = border_features()
    names = feature_names(settings, period)
    samples = labels.join(series_features(series, settings, period), on="sample_id")
    municipalities = gpd.read_file(DATA / "boundaries" / "bolivia_municipios_2024.geojson")
    bolivian = shapely.contains_xy(municipalities.union_all(), labels["lon"], labels["lat"])
    assert bolivian.sum() == 129, f"{bolivian.sum()} points in Bolivia"
    raw, truth = raw_table(path, labels["sample_id"]), labels["label"].to_numpy(str)
    tested = samples.loc[bolivian, names].to_numpy(np.float32)
    origin = {
        "source": "e-sensing", "licence": "GPL-2.0", "period": "2018-2019", "simulated": False,
        "sample_sha256": sha256_file(path),
    }  # fmt: skip

    scores = []
    for seed in SEEDS:
        model = train(
            samples[~bolivian], border_forest(seed), scheme=scheme, feature_names=names,
            feature_settings=settings.model_dump(mode="json"), provenance=origin,
        )  # fmt: skip
        plain = RandomForestClassifier(PLAIN_BORDER_FOREST, random_state=seed, n_jobs=-1)
        plain.fit(raw[~bolivian], truth[~bolivian])
        likely = model.classifier.classes_[model.classifier.predict_proba(tested).argmax(axis=1)]
        answers = {"ours": np.array(["", *BORDER_CLASSES])[likely], "plain": plain.predict(raw[bolivian])}
        scores.append(border_scores(truth[bolivian], answers))
    figures = "; ".join(told(measure, scores) for measure in ("accuracy", "Forest F1", "NonForest F1"))
    return (
        f"{(~bolivian).sum()} Brazilian points train, {bolivian.sum()} Bolivian test, {len(SEEDS)} seeds, "
        f"{len(names)} features against {raw.shape[1]} raw columns: {figures}"
    )
