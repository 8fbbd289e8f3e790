"""A run that does not depend on how it was cut, killed, changed or fed: four requirements of issue 2.

    meridian   tiles, blocks and workers change nothing        changing   an input changed: what is made again
    killing    SIGKILL inside every stage, then again    refusing   bad input: code, message, nothing left

The land that they run on, and the command as a process, are those of tests/run.
"""

from __future__ import annotations

from tests.support.changing import a_changed_input_reuses_exactly_what_does_not_depend_on_it
from tests.support.killing import killed_with_sigkill_in_every_stage_and_restarted
from tests.support.meridian import a_raster_across_a_zone_meridian_gives_one_answer
from tests.support.refusing import bad_input_is_refused_clearly

__all__ = [
    "a_changed_input_reuses_exactly_what_does_not_depend_on_it",
    "a_raster_across_a_zone_meridian_gives_one_answer",
    "bad_input_is_refused_clearly",
    "killed_with_sigkill_in_every_stage_and_restarted",
]
