"""The run's results as a STAC catalogue: the maps' items, the model that made them, the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pystac
import shapely

from cocal.run.state import Run
from cocal.store import write_json

MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v1.1.0/schema.json"
"""MLM 1.4 wants the inputs' names as bands of the model's asset; in STAC 1.1 its properties may not have them."""

_VERSION = "1.1.0"
_UP = "../../.."
"""From an item's folder, files/stac/items, to the run's."""

_TABLES = ("hectares.csv", "countries.csv", "comparison.csv", "regions.csv")


def write_stac(run: Run, folder: Path) -> None:
    """catalog.json, collection.json, model.json and items/ in `folder`, which becomes files/stac of the run.

    All links are relative, so that the folder of the run may move.
    """
    items = [_item(run, ref.folder) for ref in run.maps.values() if ref.folder is not None]
    (folder / "items").mkdir(parents=True)
    for item in items:
        write_json(folder / "items" / f"{item['id']}.json", item)
    write_json(folder / "model.json", _model(run))
    write_json(folder / "collection.json", _collection(run, items))
    write_json(folder / "catalog.json", _catalog(run))


def _link(rel: str, href: str) -> dict[str, str]:
    kind = "application/geo+json" if rel in ("item", "derived_from") else "application/json"
    return {"rel": rel, "href": href, "type": kind}


def _item(run: Run, home: Path) -> dict[str, Any]:
    path = next(p for p in sorted(home.glob("*.json")) if p.name != "manifest.json")
    source = json.loads(path.read_text(encoding="utf-8"))
    item = pystac.Item.from_dict(source, migrate=True).to_dict(include_self_link=False)
    where = home.relative_to(run.store.root).as_posix()
    for asset in item["assets"].values():
        asset["href"] = f"{_UP}/{where}/{asset['href'].removeprefix('./')}"
    links = [
        _link("root", "../catalog.json"), _link("parent", "../collection.json"),
        _link("collection", "../collection.json"), _link("derived_from", "../model.json"),
    ]  # fmt: skip
    return item | {"collection": _collection_id(run), "links": links}


def _collection_id(run: Run) -> str:
    return f"cocal-{run.config.name}"


def _span(run: Run) -> tuple[str, str]:
    first, last = min(p.start for p in run.periods), max(p.end for p in run.periods)
    return f"{first}T00:00:00Z", f"{last}T23:59:59Z"


def _title(run: Run, text: str) -> str:
    return f"{'SIMULATED: ' if run.simulated else ''}{text}"


def _model(run: Run) -> dict[str, Any]:
    """The model as an item, on the ground that it was used for; its file is an asset where it lies in the run.

    The machine learning model extension wants the file. A model of another folder is told by its id, file name
    and checksums, and the item does not claim the extension.
    """
    folder = run.require_model()
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    area, (start, end) = run.base.regions.area.envelope, _span(run)
    own = folder.is_relative_to(run.store.root)
    outside = {"description": f"The file {card['artefact']} is not part of this run; its checksum tells it from others."}  # fmt: skip
    return {
        "type": "Feature",
        "stac_version": _VERSION,
        "stac_extensions": [MLM, RASTER] if own else [],
        "id": f"model-{card['id']}",
        "bbox": list(area.bounds),
        "geometry": json.loads(shapely.to_geojson(area)),
        "properties": {
            "title": _title(run, f"model {card['id']}"), **({} if own else outside), "datetime": None,
            "start_datetime": start, "end_datetime": end, "cocal:sha256": card["sha256"],
            "cocal:file": card["artefact"], "cocal:file_sha256": card["artefact_sha256"], **card["mlm"],
        },
        "links": [_link("root", "./catalog.json"), _link("parent", "./catalog.json")],
        "assets": {"model": _artefact(card, folder.relative_to(run.store.root))} if own else {},
    }  # fmt: skip


def _artefact(card: dict[str, Any], where: Path) -> dict[str, Any]:
    """The model's file, in the folder `where` of the run."""
    bands = [
        {"name": name, "data_type": given["input"]["data_type"]}
        for given in card["mlm"]["mlm:input"]
        for name in given["bands"]
    ]
    return {
        "href": f"../../{where.as_posix()}/{card['artefact']}", "type": "application/zip; application=skops",
        "roles": ["mlm:model"], "title": "model without pickle", "mlm:artifact_type": "skops.io.dump",
        "raster:bands": bands,
    }  # fmt: skip


def _collection(run: Run, items: list[dict[str, Any]]) -> dict[str, Any]:
    tables = {
        Path(name).stem: {"href": f"../../{name}", "type": "text/csv", "roles": ["data"]}
        for name in _TABLES
        if (run.store.root / name).exists()
    }
    return {
        "type": "Collection",
        "stac_version": _VERSION,
        "id": _collection_id(run),
        "title": _title(run, f"class maps and hectares of the run {run.config.name}"),
        "description": _title(
            run,
            f"Class, probability and number of clear dates per tile and period, scheme {run.base.scheme.id}. "
            "Restricted: class maps show plots.",
        ),
        "license": "other",
        "extent": {
            "spatial": {"bbox": [list(run.base.regions.area.bounds)]},
            "temporal": {"interval": [list(_span(run))]},
        },
        "links": [
            _link("root", "./catalog.json"), _link("parent", "./catalog.json"),
            *(_link("item", f"./items/{item['id']}.json") for item in items),
        ],
        "assets": tables,
    }  # fmt: skip


def _catalog(run: Run) -> dict[str, Any]:
    return {
        "type": "Catalog",
        "stac_version": _VERSION,
        "id": f"results-{run.config.name}",
        "title": _title(run, f"results of the run {run.config.name}"),
        "description": _title(run, "Maps, tables and the model of one run of cocal."),
        "links": [
            _link("root", "./catalog.json"), _link("child", "./collection.json"), _link("item", "./model.json"),
        ],
    }  # fmt: skip
