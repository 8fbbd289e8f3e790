"""One self-contained HTML page: both languages, pictures inside, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cocal.assets import asset
from cocal.report.content import ReportContent, check_content
from cocal.report.texts import LANGUAGES, Voice
from cocal.report.view import page_view
from cocal.store import atomic_path

_PRINT_MARK = '@media print {{ @page {{ @top-center {{ content: "{}"; font: bold 9pt sans-serif; color: #000; letter-spacing: .08em; }} }} }}'


def report(folder: str | Path, content: ReportContent) -> Path:
    """Write `folder/index.html`, one file that needs no other, and return its path.

    Equal content gives equal bytes. The page is in Spanish and English, may be printed, makes no request,
    and holds no coordinates of field records.

    Raises
    ------
    ContractError
        No page can be made of `content`; every reason is named.
    """
    page = render(check_content(content))
    path = Path(folder) / "index.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return path


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
        pages=[page_view(content, Voice(language, content.scheme)) for language in LANGUAGES],
        style=Markup(style),  # noqa: S704 - our own file, nothing of the run is in it
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
    )
    return text + "\n"


def _style(content: ReportContent) -> str:
    style = asset("report/assets/style.css").read_text(encoding="utf-8")
    if content.simulated:
        words = " · ".join(Voice(language, content.scheme)("simulated_word") for language in LANGUAGES)
        style += _PRINT_MARK.format(words)
    return style


def _policy(style: str, script: str) -> str:
    """A content policy that lets this page's own style and script run, and data pictures show; no more."""
    style_hash, script_hash = (_sha256_base64(text) for text in (style, script))
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; "
        f"script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'"
    )


def _sha256_base64(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
