"""The scripts that Sentinel Hub runs for every pixel, and the bands that they return."""

from __future__ import annotations

LAND_BANDS = {
    "blue": "B02", "green": "B03", "red": "B04", "rededge071": "B05", "rededge075": "B06",
    "rededge078": "B07", "nir": "B08", "nir08": "B8A", "swir16": "B11", "swir22": "B12",
}  # fmt: skip
"""Common name: band of Sentinel-2, in the order in which the scripts return them."""

_NAMES = ", ".join(f'"{name}"' for name in LAND_BANDS.values())
_VALUES = ", ".join(f"s.{name}" for name in LAND_BANDS.values())
_ZEROS = ", ".join("0" for _ in LAND_BANDS)
_UNITS = ", ".join('"DN"' for _ in LAND_BANDS)

ONE_DAY = f"""//VERSION=3
function setup() {{
  return {{
    input: [{{ bands: [{_NAMES}, "SCL", "CLD", "dataMask"],
              units: [{_UNITS}, "DN", "PERCENT", "DN"] }}],
    output: [{{ id: "bands", bands: {len(LAND_BANDS)}, sampleType: "UINT16", nodataValue: 0 }},
             {{ id: "qa", bands: 3, sampleType: "UINT8" }}],
    mosaicking: "ORBIT"
  }};
}}
function evaluatePixel(samples) {{
  for (var i = 0; i < samples.length; i++) {{
    var s = samples[i];
    if (s.dataMask === 1) {{
      return {{ bands: [{_VALUES}].map(function (v) {{ return v < 1 ? 1 : v; }}),
               qa: [s.SCL, s.CLD, 1] }};
    }}
  }}
  return {{ bands: [{_ZEROS}], qa: [0, 0, 0] }};
}}
function updateOutputMetadata(scenes, inputMetadata, outputMetadata) {{
  outputMetadata.userData = {{ orbits: scenes.orbits }};
}}
"""
"""One day, all land bands: 0 is no data, reflectance at or below zero becomes 1 (scenes/1)."""

SCREEN = """//VERSION=3
function setup() {
  return {
    input: [{ bands: ["SCL", "dataMask"], units: ["DN", "DN"] }],
    output: [{ id: "default", bands: 1, sampleType: "UINT8" }],
    mosaicking: "ORBIT"
  };
}
function evaluatePixel(samples) {
  for (var i = 0; i < samples.length; i++) {
    if (samples[i].dataMask === 1) { return { default: [samples[i].SCL] }; }
  }
  return { default: [0] };
}
"""
"""The scene classification only, to decide which tile-dates are clear enough."""

INPUT_BANDS = len(LAND_BANDS) + 2
"""Bands of ONE_DAY that are charged: dataMask is free."""
