import pickle

import numpy as np

from cocal.run.worker.sums import Sums, added


def test_the_sums_of_a_tile_are_small_to_hold_and_exact_to_add():
    """A border has hundreds of regions, of which a tile touches a few; the dense array has 7 MB."""
    rng = np.random.default_rng(3)
    tiles = np.zeros((20, 12, 300, 256), dtype=np.int64)
    for tile in tiles:
        tile[:, rng.integers(0, 300, 3), :7] = rng.integers(0, 2**40, (12, 3, 7))
    parts = [Sums.of(tile) for tile in tiles]
    assert max(len(pickle.dumps(part)) for part in parts) < 5_000
    assert np.array_equal(added(parts), tiles.sum(axis=0))
    total = np.zeros((2, *tiles.shape[1:]), dtype=np.int64)
    parts[0].add_to(total[1])
    assert np.array_equal(total[1], tiles[0])
    assert not total[0].any()
