import gc

from tasks.running.garbage import THRESHOLDS, calm_collector


def test_the_collector_is_calm_in_the_block_and_as_before_after_it() -> None:
    before = gc.get_threshold()
    with calm_collector():
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
