"""Layers of the map: the colour of each code, and the legend."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cocal.classify.applicability import STEPS
from cocal.run.results.pictures import square_shades
from cocal.scheme import ClassScheme
from cocal.serve.rasters import MOST_LOOKS, NOTHING, Codes

_PER_CENT = ("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
"""Blues of ColorBrewer (Brewer 2003): one hue, light to dark, safe for colour-blind eyes."""

_UNSURE = ("#fff5eb", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704")
"""Oranges of ColorBrewer."""

_APPLIES, NEARLY = ("#e5f5e0", "#fec44f", "#8c2d04"), 80
"""Colours of where a model applies, nearly not, not; the steps to which it is the first."""

_COUNT = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Viridis."""


@dataclass(frozen=True)
class Shade:
    """One entry of a legend, in both languages."""

    colour: str
    es: str
    en: str


@dataclass(frozen=True)
class Layer:
    """One kind of raster: the colours of its codes (256, RGBA) and its legend."""

    id: str
    colours: NDArray[np.uint8]
    legend: tuple[Shade, ...]


def class_layer(scheme: ClassScheme) -> Layer:
    """The classes in the scheme's colours."""
    legend = tuple(Shade(c.colour, c.name_es, c.name_en) for c in scheme.classes)
    return Layer("class", _colours({c.code: c.colour for c in scheme.classes}), legend)


def probability_layer() -> Layer:
    """The probability of the target, per cent, light to dark."""
    ends = (0, 25, 50, 75, 100)
    return Layer("probability", _ramp(_PER_CENT, 100), _marks(_PER_CENT, ends, "\N{NO-BREAK SPACE}%", "%"))


def looks_layer() -> Layer:
    """The number of clear dates of the period."""
    ends = tuple(MOST_LOOKS * i // 4 for i in range(5))
    return Layer("looks", _ramp(_COUNT, MOST_LOOKS), _marks(_COUNT, ends, "", ""))


def margin_layer() -> Layer:
    """The margin between the two likeliest classes, per cent: dark where it is small."""
    ends, shades = (0, 10, 25, 50, 100), _UNSURE[::-1]
    table = _ramp(shades, 100, ends)
    return Layer("margin", table, _marks(shades, ends, "\N{NO-BREAK SPACE}%", "%"))


def applicability_layer() -> Layer:
    """Where the model applies, where nearly not (from 80 of 100 steps), and where not."""
    steps = {step: _APPLIES[0] if step <= NEARLY else _APPLIES[1] for step in range(STEPS + 1)}
    table = _colours(steps | dict.fromkeys(range(STEPS + 1, NOTHING), _APPLIES[2]))
    words = [
        ("El modelo es aplicable", "The model applies"),
        ("Aplicable, cerca del límite", "Applies, near the limit"),
        ("No aplicable: distinto de lo que entrenó", "Does not apply: unlike what trained it"),
    ]
    return Layer("applicability", table, tuple(Shade(c, *w) for c, w in zip(_APPLIES, words, strict=True)))


def density_layer(*, restricted: bool) -> Layer:
    """The hectares per square, in the shades of the page: of all squares, or of those in public/."""
    shades = square_shades(restricted=restricted)
    legend = tuple(Shade(s.colour, s.words["es"], s.words["en"]) for s in shades)  # type: ignore[index]
    return Layer("density", _colours({s.code: s.colour for s in shades}), legend)


def picture(codes: Codes, layer: Layer) -> bytes:
    """The codes as a PNG with a palette; `NOTHING` and codes without a colour are transparent."""
    image = Image.fromarray(codes, mode="P")
    image.putpalette(layer.colours[:, :3].tobytes())
    out = io.BytesIO()
    image.save(out, "PNG", transparency=layer.colours[:, 3].tobytes(), compress_level=1)
    return out.getvalue()


def _rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour[1:]))


def _colours(by_code: dict[int, str]) -> NDArray[np.uint8]:
    table = np.zeros((256, 4), dtype=np.uint8)
    for code, colour in by_code.items():
        table[code] = [*_rgb(colour), 255]
    table[NOTHING] = 0
    return table


def _ramp(anchors: tuple[str, ...], most: int, at: Sequence[float] | None = None) -> NDArray[np.uint8]:
    """Colours of the codes 0 to `most`; those of `anchors` stand at `at`, left out: evenly."""
    table = np.zeros((256, 4), dtype=np.uint8)
    at = np.linspace(0, most, len(anchors)).tolist() if at is None else at
    for band in range(3):
        table[: most + 1, band] = np.rint(
            np.interp(np.arange(most + 1), at, [_rgb(a)[band] for a in anchors])
        )
    table[: most + 1, 3] = 255
    return table


def _marks(anchors: tuple[str, ...], ends: tuple[int, ...], es: str, en: str) -> tuple[Shade, ...]:
    return tuple(Shade(c, f"{n}{es}", f"{n}{en}") for c, n in zip(anchors, ends, strict=True))
