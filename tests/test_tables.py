"""Every table that a benchmark writes into the statistics page says which command makes it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from benchmarks.tables import PAGES, modules

ROOT = Path(__file__).parents[1]


def test_each_table_is_followed_by_the_command_that_makes_it() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for name in re.findall(r"<!-- (\w+): begin -->", text):
            after = text.split(f"<!-- {name}: end -->")[1].split("begin -->")[0]
            assert re.search(rf"python -m benchmarks\.\w+ --write {re.escape(page)}", after), name


def test_the_commands_exist_and_are_run_in_the_order_of_the_page() -> None:
    found = modules("docs/statistics.md")
    assert {"interval_coverage", "regional"} <= set(found)
    assert found.index("interval_coverage") < found.index("regional")
    assert all(importlib.util.find_spec(f"benchmarks.{name}") for name in found)
