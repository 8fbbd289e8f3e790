"""A download that is killed goes on where it was, and spends no unit twice."""

from tests.support.services.kills import kill_and_compare


def test_a_download_killed_at_any_moment_leaves_the_archive_of_one_that_was_not(hub, hub_config, tmp_path):
    hub.slow = 0.02
    calm, torn = (hub_config(name, budget={"processing_units": 10.0}) for name in ("calm", "torn"))
    toll = kill_and_compare(hub, calm, torn, kills=3, ahead=3, seed=5, log=tmp_path / "log")
    assert toll.inside == 3
    assert toll.committed == 10
