"""One account of what was left out or repaired: every kind, by the real command."""

from __future__ import annotations

import html
import re
import tempfile
from pathlib import Path

from tests.support.command import cocal
from tests.support.leaving_out import EXPECTED, flawed_world, stated, warned
from tests.support.small_world import DAYS, make_world


def _bare(text: str) -> str:
    """`text` without spaces of any kind."""
    return "".join(text.split())


def _section(page: str) -> str:
    """The sections on what was left out, of both languages, as bare text."""
    found = re.findall(r"<section[^>]*left_out.*?</section>", page, re.DOTALL)
    assert len(found) == 2, len(found)
    return _bare(html.unescape(re.sub(r"<[^>]+>", " ", " ".join(found))))


def every_kind_is_in_warnings_run_json_and_page_also_when_all_is_reused() -> str:
    with tempfile.TemporaryDirectory() as folder:
        world = flawed_world(Path(folder) / "world")
        counts = []
        for _ in range(2):
            answer = cocal("run", "--serial", world.config)
            assert answer.returncode == 0, answer.stderr
            notes = stated(world)
            assert sorted(warned(answer.stderr)) == sorted(note["en"] for note in notes)
            shown = _section((world.root / "report" / "index.html").read_text(encoding="utf-8"))
            lacking = [n["code"] for n in notes for k in ("es", "en") if _bare(n[k]) not in shown]
            assert not lacking, lacking
            counts.append(re.findall(r"small: (.*)", answer.stdout)[-1])
    assert counts[1].startswith("0 unit(s) made"), counts
    return f"{len(EXPECTED)} kinds in WARNING lines, run.json, page (es, en); {'; then '.join(counts)}"


def a_clean_run_warns_of_nothing() -> str:
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder) / "world", 96, DAYS[:2])
        answer = cocal("run", "--serial", world.config)
        assert answer.returncode == 0, answer.stderr
        assert warned(answer.stderr) == []
        assert "left_out" not in (world.root / "report" / "index.html").read_text(encoding="utf-8")
    return "0 WARNING lines, no section on the page"


REQUIREMENTS = (
    every_kind_is_in_warnings_run_json_and_page_also_when_all_is_reused,
    a_clean_run_warns_of_nothing,
)
