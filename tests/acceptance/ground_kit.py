"""What the field kit must show, on the demo (SIMULATED) with 600 points drawn."""

from __future__ import annotations

import functools
import json
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import gpxpy
import pandas as pd
import yaml

from cocal.assets import PACKAGE
from tests.acceptance.house import demo
from tests.support.command import COCAL, cocal

POINTS, MEGABYTES, CPU_S = 600, 150, 300
SECRET = ("zz_mapped", "zz_near", "zz_elsewhere", "inclusion_probability", "map_class", "stratum")
"""Names of strata that stand in no other text, and of columns."""

DESIGN = {
    "unobserved": "left_out", "by_region": False, "size": {"points": POINTS}, "allocation": "rare",
    "minimum": 20, "draw": "balanced", "reserve": 0.1, "seed": 1,
    "strata": [{"stratum": "zz_mapped", "classes": ["coca"]},
               {"stratum": "zz_near", "near": {"metres": 100, "classes": ["coca"]}},
               {"stratum": "zz_elsewhere"}],
    "expected": {"source": "stated", "share": {"zz_mapped": 0.8, "zz_near": 0.03, "zz_elsewhere": 0.001}},
}  # fmt: skip

_QGIS = """
import json, sys
from qgis.core import QgsApplication, QgsProject, Qgis
app = QgsApplication([], False); app.initQgis()
project = QgsProject.instance()
read = project.read(sys.argv[1])
points = project.mapLayer("cocal_kit_points")
print(json.dumps({
    "read": read, "version": Qgis.QGIS_VERSION, "crs": project.crs().authid(), "title": project.title(),
    "layers": {i: [y.isValid(), y.crs().authid(), y.featureCount() if y.type() == 0 else y.bandCount()]
               for i, y in project.mapLayers().items()},
    "tree": [y.layerId() for y in project.layerTreeRoot().findLayers()],
    "widgets": {f.name(): points.editorWidgetSetup(i).type() for i, f in enumerate(points.fields())},
    "labels": points.labelsEnabled(), "categories": len(points.renderer().categories()),
    "colours": [c.symbol().color().name() for c in points.renderer().categories()],
    "choices": len(points.editorWidgetSetup(points.fields().indexOf("class")).config()["map"]),
    "default": points.defaultValueDefinition(points.fields().indexOf("gps_lon")).expression(),
}))
"""


@functools.cache
def designed() -> Path:
    """The demo's folder with a design of 600 points, a copy of the finished one."""
    folder = Path(tempfile.mkdtemp(prefix="cocal-kit-")) / "demo"
    shutil.copytree(demo(PACKAGE.parent)[0], folder)
    config = folder / "configs" / "demo.yaml"
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    config.write_text(yaml.safe_dump(content | {"design": DESIGN}), encoding="utf-8")
    done = cocal("design", config)
    assert done.returncode == 0, done.stderr
    return folder


@functools.cache
def kit() -> tuple[Path, float]:
    """The kit, and the CPU seconds that it took."""
    out = Path(tempfile.mkdtemp(prefix="cocal-kit-")) / "kit"
    roads = out.parent / "roads.geojson"
    sample = pd.read_csv(designed() / "runs" / "demo" / "design" / "sample.csv")
    ends = [[sample["lon"].min(), sample["lat"].mean()], [sample["lon"].max(), sample["lat"].mean()]]
    road = {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": ends}}
    roads.write_text(json.dumps({"type": "FeatureCollection", "features": [road]}), encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [
        *COCAL,
        "kit",
        str(designed() / "runs" / "demo"),
        str(out),
        "--crews",
        "6",
        "--roads",
        str(roads),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return out, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def a_kit_for_600_points_is_small_and_its_files_open() -> str:
    folder, seconds = kit()
    size = sum(p.stat().st_size for p in folder.iterdir()) / 1e6
    days = pd.read_csv(folder / "days.csv")
    named: list[str] = []
    for path in sorted(folder.glob("crew-*.gpx")):
        with path.open(encoding="utf-8") as file:
            named += [point.name for point in gpxpy.parse(file).waypoints]
    assert named == days["point_id"].tolist()
    opened = 0
    if ogrinfo := shutil.which("ogrinfo"):
        for path in [*folder.glob("*.gpx"), *folder.glob("*.gpkg")]:
            done = subprocess.run(
                [ogrinfo, "-so", "-al", "-ro", str(path)], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert "ERROR" not in done.stdout + done.stderr, done.stderr
            opened += 1
    longest = days.groupby(["crew", "crew_day"])["leg_m"].sum()
    figure = (
        f"{len(days)} points, {days['crew'].nunique()} crews, {len(longest)} days, at most "
        f"{days.groupby(['crew', 'crew_day']).size().max()} points a day, straight way "
        f"{longest.mean() / 1000:.1f} km a day; {size:.1f} MB, {seconds:.0f} CPU s; "
        f"gpxpy reads {len(named)} waypoints, "
        + (f"ogrinfo {opened} files" if ogrinfo else "ogrinfo is not installed")
    )
    assert len(days) == POINTS, figure
    assert size <= MEGABYTES, figure
    assert seconds <= CPU_S, figure
    return figure


def nothing_in_a_kit_tells_stratum_probability_or_class() -> str:
    folder, _ = kit()
    found = [(p.name, w) for p in folder.iterdir() for w in SECRET if w.encode() in p.read_bytes()]
    assert not found, found
    return f"{len(list(folder.iterdir()))} files, {len(SECRET)} words: none found"


def qgis_finds_no_bad_layer_in_the_project() -> str:
    folder, _ = kit()
    python = "/usr/bin/python3"  # that of the system, which PyQGIS is installed for
    there = Path(python).exists() and subprocess.run(
        [python, "-c", "import qgis.core"], capture_output=True, check=False
    )
    if not there or there.returncode:
        return "left out: PyQGIS is not installed (Debian: python3-qgis)"
    done = subprocess.run(
        [python, "-c", _QGIS, str(folder / "kit.qgs")], capture_output=True, text=True, check=False,
        env={"QT_QPA_PLATFORM": "offscreen", "HOME": tempfile.mkdtemp()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    written = [y.findtext("id") for y in ET.parse(folder / "kit.qgs").getroot().iter("maplayer")]
    assert told["read"], told
    assert sorted(told["layers"]) == sorted(written) == sorted(told["tree"]), told
    assert all(valid for valid, *_ in told["layers"].values()), told
    assert (told["crs"], told["labels"], told["categories"]) == ("EPSG:4326", True, 4), told
    assert len({*told["colours"]}) == 4, told
    assert {told["widgets"][name] for name in ("class", "visited", "why_not")} == {"ValueMap"}, told
    assert told["choices"] > 2, told
    assert "@gnss_coordinate" in told["default"], told
    return f"QGIS {told['version']}: {told['layers']}"


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    a_kit_for_600_points_is_small_and_its_files_open,
    nothing_in_a_kit_tells_stratum_probability_or_class,
    qgis_finds_no_bad_layer_in_the_project,
)
