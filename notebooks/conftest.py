"""`make notebooks`: one that needs third-party data is skipped, with the reason, where these are not
there.
"""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("COCAL_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
NEEDED = {
    "02_from_samples_to_model.ipynb": DATA / "samples" / "t20lkp_s2_481_11bands_36dates.parquet",
    "03_real_imagery_to_hectares.ipynb": DATA / "amazon_s2" / "amazon_s2_l2a_12bands.tif",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = NEEDED.get(item.path.name)
        if path is not None and not path.exists():
            item.add_marker(pytest.mark.skip(reason=f"{path} is not there: set COCAL_TEST_DATA"))
