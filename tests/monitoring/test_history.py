"""The history: whole parts, compacted without a row lost or doubled."""

from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.base.errors import StorageFailed, UserMistake
from tasks.monitoring.event_history import LOOSE_PARTS, History, connected
from tasks.monitoring.health_records import HISTORY, HealthEvent
from tests.monitoring.made import NOW, event


def count(history: History) -> int:
    with connected(history.parts()) as base:
        return int(base.execute("select count(*) from events").fetchall()[0][0])


@pytest.fixture
def history(tmp_path: Path) -> History:
    found = History(tmp_path / "history")
    with found.held():
        return found


def test_the_columns_are_those_of_an_event_and_each_says_what_it_is() -> None:
    assert tuple(HISTORY.names) == HealthEvent._fields
    assert all(field.metadata[b"description"] for field in HISTORY)


def test_compacting_loses_no_row_and_doubles_none(history: History) -> None:
    for number in range(LOOSE_PARTS + 2):
        history.append([event(latency_ms=float(number))])
    with history.held():
        history.compact(NOW + timedelta(days=60))  # the month is over
    (part,) = history.parts()
    assert sorted(pq.read_table(part)["latency_ms"].to_pylist()) == list(range(LOOSE_PARTS + 2))
    assert list(history.events.iterdir()) == [part]
    history.append([event()])
    with history.held():
        history.compact(NOW + timedelta(days=60))
    assert (len(history.parts()), count(history)) == (1, LOOSE_PARTS + 3)


def test_a_kill_between_a_months_file_and_its_parts_removal_counts_nothing_twice(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        history.append([event()])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        history.compact(NOW + timedelta(days=60))
    assert len(list(history.events.iterdir())) == 4
    assert count(history) == 3
    history.compact(NOW + timedelta(days=60))
    assert len(list(history.events.iterdir())) == 1
    assert count(history) == 3


def test_a_part_that_cannot_be_read_is_named(history: History) -> None:
    history.append([event()])
    history.parts()[0].write_bytes(b"no parquet")
    with pytest.raises(StorageFailed, match=history.parts()[0].name), connected(history.parts()) as base:
        base.execute("select * from events")


def test_what_probes_cost_is_summed_over_a_time(history: History) -> None:
    history.append([event(at=NOW - timedelta(hours=30), cost_usd=4.0), event(cost_usd=0.5), event(cost_usd=None)])
    history.append([event(source="call", cost_usd=8.0)])
    assert history.spent(NOW - timedelta(days=1)) == 0.5


def test_what_a_killed_monitor_may_have_paid_is_counted(history: History) -> None:
    history.expect([event(cost_usd=0.25, error="interrupted")])
    killed = History(history.folder)
    killed.recover()
    killed.recover()
    assert killed.spent(NOW - timedelta(days=1)) == 0.25


def test_what_became_of_the_probes_takes_the_place_of_what_was_expected(history: History) -> None:
    history.expect([event(cost_usd=0.25, error="interrupted")])
    history.settle([event(cost_usd=0.01)])
    history.recover()
    assert history.spent(NOW - timedelta(days=1)) == 0.01


def test_a_second_monitor_is_told_that_another_one_works(history: History) -> None:
    with history.probing(), pytest.raises(UserMistake, match="another monitor"), History(history.folder).probing():
        pass


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserMistake, match="DOCMILL_HISTORY"), History(tmp_path / "file").held():
        pass
