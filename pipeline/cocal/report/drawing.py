"""Parts of all pictures: one style, plain text from hostile names, the SIMULATED band, fixed bytes."""

from __future__ import annotations

import base64
import io
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.legend import Legend
from matplotlib.patches import Rectangle
from PIL import Image

INK, MUTED, RULE, PAPER = "#1c2b36", "#5a6872", "#d5dce1", "#ffffff"
ESTIMATE, MAPPED, OFFICIAL, FIELD, TRUTH = "#0b4f6c", "#c2570c", "#1c2b36", "#00796b", "#7b3294"
MODEL = "#6fa3b8"
WARNING = "#ffd54f"
BAND_IN = 0.26
DPI = 170

_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "svg.fonttype": "path",
    "svg.hashsalt": "cocal",
}


@dataclass(frozen=True)
class Shape:
    """How wide a picture is and how large its text: one shape for pages and desks, one for telephones."""

    name: str
    width: float
    label_width: float
    columns: int


WIDE = Shape("wide", width=7.4, label_width=2.1, columns=4)
NARROW = Shape("narrow", width=4.0, label_width=1.35, columns=2)


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib as this page needs it, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


@lru_cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def plain(text: str) -> str:
    """`text` as a picture can show it: control characters dropped, characters without a glyph as a box."""
    kept = (c for c in text if not unicodedata.category(c).startswith("C"))
    return "".join(c if ord(c) in _glyphs() else "\N{WHITE SQUARE}" for c in kept)


def new_figure(width: float, height: float, mark: str = "") -> Figure:
    """An empty figure, sizes in inches, with its own canvas and no global state.

    `mark` stands in a band over its uppermost BAND_IN inches: that the run is simulated.
    """
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    if mark:
        share = BAND_IN / height
        band = Rectangle((0, 1 - share), 1, share, transform=figure.transFigure, facecolor=WARNING)
        figure.add_artist(band)
        figure.text(
            0.5, 1 - share / 2, mark, ha="center", va="center", fontsize=8, fontweight="bold", color="#000000"
        )
    return figure


def add_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches."""
    across, up = figure.get_figwidth(), figure.get_figheight()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def add_legend(figure: Figure, handles: Sequence[Artist], *, top: float, **how: Any) -> Legend:
    """A legend without a frame whose upper left corner is `top` inches above the foot of the figure."""
    return figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.0, top / figure.get_figheight()),
        frameon=False, **how,
    )  # fmt: skip


def add_foot(figure: Figure, text: str) -> None:
    """One line under the picture that identifies it where it stands alone."""
    figure.text(
        0.012, 0.06 / figure.get_figheight(), plain(text), fontsize=6.5, color=MUTED, parse_math=False
    )


def svg_uri(figure: Figure) -> str:
    """The figure as an SVG data URI; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "cocal"})
    return _uri("image/svg+xml", buffer.getvalue())


def png_uri(figure: Figure) -> str:
    """The figure as a PNG data URI of 256 colours; equal figures give equal bytes."""
    canvas: Any = FigureCanvasAgg(figure)
    with style():
        figure.set_dpi(DPI)
        canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    palette = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    palette.save(buffer, format="PNG", optimize=True)
    return _uri("image/png", buffer.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
