"""The run's results as a STAC catalogue: the maps' items, the model that made them, the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pystac
import shapely

from cocal.run.results.facts import RunFacts
from cocal.store import MANIFEST, proven

MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v1.1.0/schema.json"
"""MLM 1.4 requires input names as bands of the model's asset; STAC 1.1 excludes them from its properties."""

_TABLES = ("hectares.csv", "countries.csv", "comparison.csv", "regions.csv")


def write_stac(folder: Path, run: RunFacts) -> None:
    """catalog.json, collection.json and items/ in `folder`, which becomes files/stac of the run; of a model's
    map model.json too.

    All links are relative, so that the folder of the run may be moved.
    """
    catalog = pystac.Catalog(
        f"results-{run.name}",
        run.marked("Maps and tables of one run of cocal."),
        run.marked(f"results of the run {run.name}"),
    )
    collection = _collection(run)
    items = [_item(home, run.root.value) for own in run.maps for home in own.folders.values()]
    catalog.add_child(collection)
    collection.add_items(items)
    places: dict[str, Any] = {"catalog": catalog, "collection": collection}
    if run.model is not None and run.card is not None and run.model.folder is not None:
        model = places["model"] = _model(run, run.card.path, run.model.folder)
        catalog.add_item(model)
        for item in items:
            item.add_link(pystac.Link("derived_from", model, pystac.MediaType.GEOJSON))
    # last, as pystac moves the assets of an item that has a place already
    places |= {f"items/{item.id}": item for item in items}
    for name, stac in places.items():
        stac.set_self_href(str(folder / f"{name}.json"))
    catalog.save(pystac.CatalogType.SELF_CONTAINED)


def _item(home: Path, root: Path) -> pystac.Item:
    """The item of the map in `home`, its assets as paths from files/stac/items."""
    source = next(path for path in sorted(home.glob("*.json")) if path.name != MANIFEST)
    item = pystac.Item.from_dict(json.loads(proven(source).read_text(encoding="utf-8")), migrate=True)
    item.clear_links()
    for asset in item.assets.values():
        where = home.relative_to(root) / asset.href.removeprefix("./")
        asset.href = f"../../../{where.as_posix()}"
    return item


def _model(run: RunFacts, path: Path, folder: Path) -> pystac.Item:
    """The model as an item on the area that it was used for; its file is an asset if it lies in the run.

    The machine learning model extension requires the file. A model of another folder is identified by its id,
    file name and checksums, and the item does not declare the extension.
    """
    card = json.loads(path.read_text(encoding="utf-8"))
    area, own = run.regions.area.envelope, folder.is_relative_to(run.root.value)
    properties = {
        "title": run.marked(f"model {card['id']}"), "cocal:sha256": card["sha256"],
        "cocal:file": card["artefact"], "cocal:file_sha256": card["artefact_sha256"], **card["mlm"],
    }  # fmt: skip
    if not own:
        text = f"The file {card['artefact']} is not part of this run; its checksum identifies it."
        properties["description"] = text
    start, end = _span(run)
    item = pystac.Item(
        f"model-{card['id']}", json.loads(shapely.to_geojson(area)), list(area.bounds), None, properties,
        start_datetime=start, end_datetime=end, stac_extensions=[MLM, RASTER] if own else [],
    )  # fmt: skip
    if own:
        where = folder.relative_to(run.root.value) / card["artefact"]
        item.add_asset("model", _artefact(card["mlm"]["mlm:input"], f"../../{where.as_posix()}"))
    return item


def _artefact(inputs: Iterable[Mapping[str, Any]], href: str) -> pystac.Asset:
    """The model's file with its inputs as bands."""
    bands = [
        {"name": name, "data_type": given["input"]["data_type"]}
        for given in inputs
        for name in given["bands"]
    ]
    fields = {"mlm:artifact_type": "skops.io.dump", "raster:bands": bands}
    kind = "application/zip; application=skops"
    return pystac.Asset(href, "model without pickle", None, kind, ["mlm:model"], fields)


def _span(run: RunFacts) -> tuple[datetime, datetime]:
    """The first and the last second of the periods."""
    first, last = min(p.start for p in run.periods), max(p.end for p in run.periods)
    return datetime.combine(first, time(0), UTC), datetime.combine(last, time(23, 59, 59), UTC)


def _collection(run: RunFacts) -> pystac.Collection:
    layers = "Class" if run.model is None else "Class, probability and number of clear dates"
    content = f"{layers} per tile and period, scheme {run.scheme.id}. Restricted: class maps show plots."
    collection = pystac.Collection(
        f"cocal-{run.name}",
        run.marked(content),
        pystac.Extent(
            pystac.SpatialExtent([list(run.regions.area.bounds)]), pystac.TemporalExtent([list(_span(run))])
        ),
        run.marked(f"class maps and hectares of the run {run.name}"),
    )
    for name in _TABLES:
        if (run.root.value / name).exists():
            collection.add_asset(
                Path(name).stem, pystac.Asset(f"../../{name}", None, None, "text/csv", ["data"])
            )
    return collection
