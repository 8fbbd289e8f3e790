"""Sun, clouds and the scene classification. Clouds are a field over the land, so that they cast shadows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cocal.grid import Window
from cocal.simulate.noise import fractal_grid, normal, uniform, white

Array = NDArray[np.float64]

CLOUDY = (0.82, 0.82, 0.76, 0.56, 0.38, 0.26, 0.22, 0.26, 0.38, 0.54, 0.68, 0.80)
"""Mean cloud cover by month: 70 to 90 % in the wet months of the Yungas (issue 4); the rest an assumption."""

CLOUD_COLOUR = (0.56, 0.55, 0.55, 0.56, 0.56, 0.56, 0.56, 0.56, 0.40, 0.30)
"""Reflectance of thick cloud by band, an assumption."""

LATITUDE = -14.2
OVERPASS_H = 10.6
"""Local solar time of the overpass, hours."""

SCL = {
    "dark": 2, "shadow": 3, "vegetation": 4, "bare": 5, "water": 6, "unclassified": 7,
    "cloud_medium": 8, "cloud_high": 9, "cirrus": 10,
}  # fmt: skip
"""Codes of the Sen2Cor scene classification (Sentinel-2 L2A product definition, SCL)."""


@dataclass(frozen=True)
class Sky:
    """One day's sun and clouds. Angles in radians; azimuth clockwise from north; displacement in metres.

    `shift` is the error of geolocation in places of 2.5 m to the east and south: at most half a pixel.
    """

    seed: int
    day: date
    zenith: float
    azimuth: float
    cover: float
    shadow_x: int
    shadow_y: int
    shift: tuple[int, int]

    @property
    def stream(self) -> str:
        return f"sky/{self.day.isoformat()}"


def sky_of(seed: int, day: date) -> Sky:
    """The sky of a day: sun by the declination of Cooper 1969 (doi:10.1016/0038-092X(69)90047-4), cloud cover
    drawn about the month's mean. Shadows are displaced away from the sun by cloud height x tan(zenith).
    """
    number = day.timetuple().tm_yday
    declination = np.radians(23.45 * np.sin(np.radians(360 * (284 + number) / 365)))
    latitude, hour = np.radians(LATITUDE), np.radians(15 * (OVERPASS_H - 12))
    cosine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    east = -np.cos(declination) * np.sin(hour)
    north = np.cos(latitude) * np.sin(declination) - np.sin(latitude) * np.cos(declination) * np.cos(hour)
    zenith, azimuth = float(np.arccos(cosine)), float(np.arctan2(east, north))
    ordinal = day.toordinal()
    mean = CLOUDY[day.month - 1]
    draw = float(normal(seed, "sky/cover", ordinal, 0)[0])
    cover = 1 / (1 + np.exp(-(np.log(mean / (1 - mean)) + 0.9 * draw)))

    jitter = [int(5 * draw) - 2 for draw in uniform(seed, "sky/jitter", ordinal, [0, 1]).tolist()]
    height = 1100.0 + 1500.0 * float(uniform(seed, "sky/height", ordinal, 0)[0])
    length = height * np.tan(zenith)
    x, y = (20 * round(-length * part / 20) for part in (np.sin(azimuth), np.cos(azimuth)))
    return Sky(seed, day, zenith, azimuth, float(cover), x, y, (jitter[0], jitter[1]))


def opacity(sky: Sky, window: Window) -> NDArray[np.float32]:
    """(y, x) opacity of clouds above the ground, 0 to 1, with thin edges."""
    coarse = fractal_grid(sky.seed, sky.stream, window.x, window.y, 5200.0, 6)
    fine = fractal_grid(sky.seed, f"{sky.stream}/tufts", window.x, window.y, 520.0, 4)
    over = (0.88 * coarse + 0.47 * fine - float(ndtri(1 - sky.cover))) / 0.30
    return np.asarray(1 - np.exp(-1.6 * np.clip(over, 0.0, 6.0) ** 1.3), dtype=np.float32)


def shadow(sky: Sky, window: Window) -> NDArray[np.float32]:
    """(y, x) share of sunlight that clouds block: the opacity, displaced away from the sun."""
    source = replace(window, left=window.left - sky.shadow_x, top=window.top - sky.shadow_y)
    return opacity(sky, source)


def classify_scene(
    sky: Sky, window: Window, cloud: Any, dark: Any, bands: dict[str, NDArray[np.float32]]
) -> NDArray[np.uint8]:
    """(y, x) uint8 scene classification at `window`, with the errors of the real one.

    Thin cloud is missed, bright ground is classified as cloud, part of the shadows is missed, dark slopes are
    classified as shadow. `cloud`, `dark` and the reflectances `bands` are on the same pixels.
    """
    guess = white(sky.seed, f"{sky.stream}/scl", window, 2)
    seen = cloud + 0.04 * guess[0]
    red, nir, blue = bands["red"], bands["nir08"], bands["blue"]
    ndvi = (nir - red) / (nir + red)
    code = np.where(ndvi > 0.42 + 0.03 * guess[1], SCL["vegetation"], SCL["bare"]).astype(np.uint8)
    code[(ndvi > 0.34) & (ndvi < 0.42)] = SCL["unclassified"]
    code[(ndvi < 0.05) & (nir < 0.09)] = SCL["water"]
    code[(nir < 0.145) & (code != SCL["water"])] = SCL["dark"]
    code[(dark > 0.42 + 0.10 * guess[1]) & (nir < 0.30)] = SCL["shadow"]
    code[(code == SCL["bare"]) & (blue > 0.095 + 0.02 * guess[0])] = SCL["cloud_medium"]
    code[seen > 0.12] = SCL["cirrus"]
    code[seen > 0.28] = SCL["cloud_medium"]
    code[seen > 0.62] = SCL["cloud_high"]
    return code
