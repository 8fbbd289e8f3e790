"""What is shown of one run: its tables, the layers and tiles of its maps, its images."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import cache, cached_property
from typing import Any

from starlette.responses import JSONResponse

from cocal.code import code_of
from cocal.contracts import CLASS_TIF, DISSIMILARITY_TIF, MARGIN_TIF, N_CLEAR_TIF, PROBABILITY_TIF
from cocal.errors import CocalError
from cocal.run.doubtful import doubtful_places
from cocal.run.images import run_images
from cocal.run.tables import read_own_csv
from cocal.serve.images import ImageTiles
from cocal.serve.kept import Kept
from cocal.serve.palettes import (
    Layer,
    applicability_layer,
    class_layer,
    density_layer,
    looks_layer,
    margin_layer,
    picture,
    probability_layer,
)
from cocal.serve.rasters import LEAST_ZOOM, MOST_ZOOM, MapRasters, Square, SquareRaster
from cocal.serve.runs import ShownRun
from cocal.serve.tables import RunTables
from cocal.store import address

RASTERS = {
    "class": CLASS_TIF, "probability": PROBABILITY_TIF, "looks": N_CLEAR_TIF, "margin": MARGIN_TIF,
    "applicability": DISSIMILARITY_TIF,
}  # fmt: skip
MOST_DOUBTFUL, APART_M = 100, 500
"""Doubtful places that are shown one after the other, and the side of the squares of which each is in one."""

_BLOCKS_BYTES = 128 << 20
"""Memory for medians of a run: some 140 blocks of three bands."""

log = logging.getLogger(__name__)


class RunData:
    """The tables, layers and rasters of one run, each read when it is first used."""

    def __init__(self, run: ShownRun) -> None:
        self.run = run
        self.periods = {p.name: p for p in run.periods}

    @cached_property
    def tables(self) -> RunTables:
        return RunTables(self.run)

    @cached_property
    def outlines(self) -> bytes:
        """The regions as GeoJSON."""
        return bytes(JSONResponse(self.tables.outlines()).body)

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """The layers that may be shown, by id."""
        run = self.run
        layers = [class_layer(run.scheme)] if run.restricted else []
        layers += [probability_layer(), looks_layer()] if run.restricted and run.by_model else []
        layers += [v for v in (margin_layer(), applicability_layer()) if run.has_raster(RASTERS[v.id])]
        layers += [density_layer(restricted=run.restricted)] if run.has_density else []
        return {layer.id: layer for layer in layers}

    @cached_property
    def rasters(self) -> dict[str, MapRasters]:
        return {period: MapRasters(maps) for period, maps in self.run.maps.items()}

    @cached_property
    def squares(self) -> dict[str, SquareRaster]:
        table = read_own_csv(self.run.tables / "density.csv")
        return {str(period): SquareRaster(rows) for period, rows in table.groupby("period")}

    @cached_property
    def images(self) -> ImageTiles | None:
        """The images, for the restricted profile; None without any, or where the archive cannot be read."""
        if not self.run.restricted or self.run.config.archive is None:
            return None
        try:
            found = run_images(self.run.config)
        except CocalError as err:
            log.warning("no images: %s", err)
            return None
        return ImageTiles(found, Kept(_BLOCKS_BYTES)) if found.scenes else None

    @cache  # noqa: B019 - runs are few and live as long as the server
    def doubtful(self, period: str) -> list[dict[str, float]]:
        """The places where the map of a period is least sure of the target, least sure first."""
        if not self.run.by_model:
            return []
        places = doubtful_places(self.run.maps[period], self.run.regions, MOST_DOUBTFUL, APART_M)
        rows = places.round({"lon": 6, "lat": 6, "probability": 4}).to_dict("records")
        return [{"lng": r["lon"], "lat": r["lat"], "probability": r["probability"]} for r in rows]

    def address(self, period: str, layer: str, square: Square) -> str | None:
        """The SHA-256 of all that a tile of a map depends on; None where it is not known."""
        if layer not in RASTERS:
            return None
        maps = [folder.parts[-3:] for folder in self.rasters[period].near(square)]
        return address([_tile_code(), layer, self.run.measured.scheme_sha256, list(square), maps])

    def tile(self, period: str, layer: str, square: Square) -> bytes:
        """A PNG of one layer."""
        if layer == "density":
            codes = self.squares[period].codes(square)
        else:
            codes = self.rasters[period].codes(RASTERS[layer], square)
        return picture(codes, self.layers[layer])

    def _own_map(self) -> dict[str, str] | None:
        """What the map is where an office gave it; None where a model made it of images."""
        own = self.run.config.classify.map
        if self.run.by_model or own is None:
            return None
        return {"id": own.id, "source": own.source, "licence": own.licence}

    def facts(self) -> dict[str, Any]:
        """The description of the run that the page loads first."""
        run, failed = self.run, self.run.measured.failed
        return {
            "name": run.name,
            "simulated": run.simulated,
            "target": run.scheme.target,
            "classes": [
                {"key": c.key, "colour": c.colour, "es": c.name_es, "en": c.name_en}
                for c in run.scheme.classes
            ],
            "periods": [
                {"name": p.name, "start": str(p.start), "end": str(p.end), "failed": failed(p.name)}
                for p in run.periods
            ],
            "layers": [{"id": v.id, "legend": [asdict(s) for s in v.legend]} for v in self.layers.values()],
            "bounds": [float(v) for v in run.regions.area.bounds],
            "zooms": [LEAST_ZOOM, MOST_ZOOM],
            "relief": run.config.dem is not None,
            "records": run.has_records,
            "estimates": self.tables.has_estimates,
            "pixels": run.restricted,
            "doubtful": run.restricted and run.by_model,
            "images": self.images and self.images.facts(run.periods),
            "own_map": self._own_map(),
            "sources": [source.path.name for source in run.config.regions.sources],
        }


@cache
def _tile_code() -> str:
    return code_of(MapRasters, picture, class_layer, probability_layer, looks_layer)
