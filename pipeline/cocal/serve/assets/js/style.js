// A view as a MapLibre style: the map is drawn anew from it, MapLibre applies the difference.

import { address, tiles } from "./api.js";
import { imageSource } from "./images.js";
import { NO_FIGURE } from "./paint.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const INK = "#1b1b1b";
const GROUND = { id: "ground", type: "raster", source: "ground", paint: { "raster-resampling": "nearest", "raster-fade-duration": 0 } };

/** The style of one side. `side`: {run, period, layer, shown, when, relief, points, region, ring, colours}. */
export function mapStyle(side) {
  const { run, period, layer } = side;
  const sources = {
    regions: { type: "geojson", data: address("data", run.name, "regions") },
    pixel: { type: "geojson", data: side.ring ? polygon(side.ring) : EMPTY, tolerance: 0 },
    drawn: { type: "geojson", data: side.drawn ?? EMPTY, tolerance: 0 },
  };
  const layers = [{ id: "background", type: "background", paint: { "background-color": "#f4f4f0" } }];
  if (side.relief && run.relief) {
    sources.relief = { type: "raster-dem", tiles: [tiles("relief", run.name)], tileSize: 256, encoding: "terrarium", maxzoom: 13, bounds: run.bounds };
    layers.push({ id: "relief", type: "hillshade", source: "relief", paint: { "hillshade-exaggeration": 0.35 } });
  }
  if (layer === "image") {
    sources.ground = imageSource(run, period, side);
    layers.push(GROUND);
  } else if (layer !== "none") {
    const [least, most] = run.zooms;
    layers.push({ id: "unseen", type: "fill", source: "regions", minzoom: least, paint: { "fill-color": NO_FIGURE } });
    sources.ground = { type: "raster", tiles: [tiles("tiles", run.name, period, layer)], tileSize: 256, minzoom: least, maxzoom: most, bounds: run.bounds };
    layers.push(GROUND);
  }
  layers.push(...regionLayers(side));
  if (side.points && run.records) layers.push(...pointLayers(sources, side));
  layers.push(...DRAWN);
  return { version: 8, sources, layers };
}

function regionLayers({ colours, region }) {
  const pairs = Object.entries(colours ?? {}).flat();
  const colour = pairs.length ? ["match", ["get", "id"], ...pairs, NO_FIGURE] : "#000000";
  return [
    { id: "regions", type: "fill", source: "regions", paint: { "fill-color": colour, "fill-opacity": pairs.length ? 0.75 : 0 } },
    { id: "halo", type: "line", source: "regions", paint: { "line-color": "#ffffff", "line-width": 3, "line-opacity": 0.8 } },
    { id: "outlines", type: "line", source: "regions", paint: { "line-color": INK, "line-width": 1.2 } },
    { id: "chosen", type: "line", source: "regions", filter: ["==", ["get", "id"], region ?? ""], paint: { "line-color": "#0b5fff", "line-width": 4 } },
    { id: "pixel", type: "line", source: "pixel", paint: { "line-color": "#0b5fff", "line-width": 3 } },
    {
      id: "names", type: "symbol", source: "regions",
      layout: { "text-field": ["get", "name"], "text-size": 13, "text-font": ["sans-serif"], "text-max-width": 8 },
      paint: { "text-color": INK, "text-halo-color": "#ffffff", "text-halo-width": 1.6 },
    },
  ];
}

function pointLayers(sources, { run, period }) {
  sources.points = { type: "geojson", data: address("data", run.name, period, "points") };
  const compared = ["all", ["has", "map"], ["!=", ["get", "map"], null], ["!=", ["get", "field"], null]];
  const same = ["==", ["get", "map"], ["get", "field"]];
  return [{
    id: "points", type: "circle", source: "points",
    paint: {
      "circle-radius": 5, "circle-stroke-width": 1.5, "circle-stroke-color": "#ffffff",
      "circle-color": ["case", ["all", compared, same], POINT_COLOURS.agrees, compared, POINT_COLOURS.differs, POINT_COLOURS.not_compared],
    },
  }];
}

const DRAWN = [
  { id: "drawn-halo", type: "line", source: "drawn", paint: { "line-color": "#ffffff", "line-width": 5 } },
  { id: "drawn", type: "line", source: "drawn", paint: { "line-color": "#b1007f", "line-width": 2.5 } },
  { id: "corners", type: "circle", source: "drawn", filter: ["==", ["geometry-type"], "Point"],
    paint: { "circle-radius": 4, "circle-color": "#b1007f", "circle-stroke-color": "#ffffff", "circle-stroke-width": 1.5 } },
];

export const POINT_COLOURS = { agrees: "#0072b2", differs: "#cc3311", not_compared: "#777777" };

const polygon = (ring) => ({ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [ring] } });
