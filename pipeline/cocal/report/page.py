"""One self-contained HTML page: both languages, pictures inside, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cocal.assets import asset
from cocal.report import (
    card,
    definitions,
    headline,
    law,
    omission,
    operations,
    pictures,
    quality,
    sections,
    states,
)
from cocal.report.blocks import Block, PageView, Section, numbered
from cocal.report.content import ReportContent, check_content
from cocal.report.numbers import Language, decimals_for
from cocal.report.places import country_places
from cocal.report.texts import LANGUAGES, Wording
from cocal.store import atomic_path

_PRINT_MARK = (
    '@media print {{ @page {{ @top-center {{ content: "{}"; font: bold 9pt sans-serif; color: #000; '
    "letter-spacing: .08em; }} }} }}"
)
_SECTIONS: dict[str, Callable[[ReportContent, Wording], list[Block]]] = {
    "headline": headline.headline, "figure": pictures.figure, "map": pictures.maps,
    "comparison": sections.comparison, "definitions": definitions.definitions,
    "states": states.states, "change": sections.change,
    "groups": sections.groups,
    "legal": law.legal, "eradication": sections.eradication,
    "operations": operations.claims_by_verdict, "classes": sections.classes,
    "left_out": quality.left_out, "unseen": quality.unseen, "map_errors": omission.map_errors,
    "accuracy": quality.accuracy,
    "model": card.model, "method": quality.method,
    "reproduce": quality.reproduce,
}  # fmt: skip
"""The sections in their order; one without a block is left out."""

_LEFT_OUT = {
    "squares": ("comparison", "states", "change", "classes", "map_errors"),
    "regions": ("states", "change", "classes", "map_errors"),
}  # fmt: skip
"""Sections that a public page does not have: they state more of the map than is shown, or estimates."""


def report(folder: str | Path, content: ReportContent) -> Path:
    """Write `folder/index.html`, one file that needs no other, and return its path.

    Equal content gives equal bytes. The page is in Spanish and English, may be printed, makes no request,
    and holds no coordinates of field records.

    Raises
    ------
    ContractError
        No page can be made of `content`; every problem is listed.
    """
    page = render(check_content(content))
    path = Path(folder) / "index.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return path


def page_view(content: ReportContent, language: Language) -> PageView:
    """The page in one language."""
    shown, profile = (*content.places[content.last], *country_places(content)), content.profile
    whole = profile == "public"  # its figures are in whole hectares
    decimals = 0 if whole else decimals_for(v for p in shown for v in p.hectares)
    variants = (
        *((content.geography, "public") if whole else ()),
        *(() if content.estimated else ("mapped",)),
        *(("census",) if "census" in content.model_card else ()),
    )
    t = Wording(language, content.scheme, decimals, content.last, variants)
    left_out = _LEFT_OUT[content.geography] if profile == "public" else ()
    kept = {key: make for key, make in _SECTIONS.items() if key not in left_out}
    made = {key: make(content, t) for key, make in kept.items()}
    titles = {key: t("headline" if key == "headline" else f"{key}_title") for key in made}
    period, sure = content.periods[-1], [t("statement_sure")] if content.estimated else []
    dates = t("dates", name=period.name, start=t.day(period.start), end=t.day(period.end))
    return PageView(
        t=t,
        title=t("document", run=content.run_name),
        facts=(
            (t("reference_period"), dates),
            (t("run"), content.run_name),
            (t("profile"), t(f"profile.{profile}")),
            *states.states_fact(content, t),
        ),
        statement=(t("statement_law"), " ".join([t("statement_count"), *sure, t(f"statement_{profile}")])),
        sections=numbered(Section(key, titles[key], tuple(made[key])) for key in made if made[key]),
    )


def render(content: ReportContent) -> str:
    """The page as HTML text."""
    environment = Environment(
        loader=FileSystemLoader(asset("report/assets")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _style(content), asset("report/assets/switch.js").read_text(encoding="utf-8")
    text = environment.get_template("page.html.j2").render(
        content=content,
        pages=[page_view(content, language) for language in LANGUAGES],
        style=Markup(style),  # noqa: S704 - our own file, nothing of the run is in it
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
    )
    return text + "\n"


def _style(content: ReportContent) -> str:
    style = asset("report/assets/style.css").read_text(encoding="utf-8")
    if content.simulated:
        marks = " · ".join(Wording(language, content.scheme)("simulated_word") for language in LANGUAGES)
        style += _PRINT_MARK.format(marks)
    return style


def _policy(style: str, script: str) -> str:
    """A content policy that lets this page's own style and script run, and data pictures show; no more."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; "
        f"script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'"
    )
