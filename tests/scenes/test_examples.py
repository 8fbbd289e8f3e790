"""The examples in the docstrings of scenes run as they stand."""

import doctest

import pytest

from cocal.scenes import item, radiometry


@pytest.mark.parametrize("module", [item, radiometry])
def test_the_examples_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
