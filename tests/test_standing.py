from __future__ import annotations

from dataclasses import FrozenInstanceError
from threading import Thread

import pytest

from pipeline.conduct.standing import Snapshot, Standing


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_before_it_begins_nothing_is_known(clock: Clock) -> None:
    standing = Standing(clock)
    standing.doing("reading the manifest")
    clock.now += 5
    assert standing.snapshot() == Snapshot(doing="reading the manifest")


def test_a_steady_build_has_its_rate_and_time_left_in_closed_form(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(scans=100, views=700, views_kept=70)
    for _ in range(40):
        clock.now += 3.5
        standing.made(scan_done=True, views=7, images=35)
    standing.crew(workers=2, memory_bytes=5_000, dashboard="http://here", in_flight=4)
    found = standing.snapshot()
    assert (found.scans, found.scans_made, found.views, found.views_made) == (100, 40, 700, 280)
    assert (found.views_kept, found.images, found.in_flight, found.waiting) == (70, 1400, 4, 56)
    assert (found.workers, found.memory_bytes, found.dashboard) == (2, 5_000, "http://here")
    assert found.seconds == 140.0
    assert found.views_a_second == pytest.approx(2.0)
    assert found.views_a_second_overall == pytest.approx(2.0)
    assert found.seconds_left == pytest.approx(210.0)  # 420 views at 2 a second
    assert found.share == 0.4


def test_the_rate_is_of_the_last_minute_and_the_overall_one_of_all(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(scans=1000, views=1000)
    for _ in range(100):
        clock.now += 10
        standing.made(True, 1, 1)
    for _ in range(120):
        clock.now += 0.5
        standing.made(True, 1, 1)
    found = standing.snapshot()
    assert found.views_a_second == pytest.approx(2.0)
    assert found.views_a_second_overall == pytest.approx(220 / 1060)
    assert found.seconds_left == pytest.approx(390.0)


def test_slow_jobs_keep_a_rate_though_none_came_in_for_minutes(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(scans=50, views=400)
    for _ in range(10):
        clock.now += 300
        standing.made(True, 8, 8)
    clock.now += 299
    found = standing.snapshot()
    assert found.views_a_second == pytest.approx(64 / 2699)  # the last eight jobs
    assert found.seconds_left == pytest.approx(320 * 2699 / 64)


def test_jobs_that_come_in_all_at_once_do_not_shake_the_rate(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(scans=10_000, views=10_000)
    standing.crew(workers=100, memory_bytes=0, dashboard=None, in_flight=100)
    for _ in range(3):  # a hundred every three minutes, the last of them a good minute late
        clock.now += 110
        for _ in range(99):
            standing.made(True, 1, 1)
        clock.now += 70
        standing.made(True, 1, 1)
    assert standing.snapshot().views_a_second == pytest.approx(100 / 180, rel=0.3)


def test_a_build_that_stands_still_slows_down(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(scans=100, views=100)
    for _ in range(20):
        clock.now += 1
        standing.made(True, 1, 1)
    rates, left = [], []
    for _ in range(5):
        clock.now += 100
        found = standing.snapshot()
        rates.append(found.views_a_second)
        left.append(found.seconds_left)
    assert rates == sorted(rates, reverse=True, key=lambda rate: rate or 0.0)
    assert left == sorted(left, key=lambda seconds: seconds or 0.0)
    assert rates[-1] == pytest.approx(20 / 520)


def test_the_time_left_waits_until_every_worker_could_have_answered(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(scans=100, views=100)
    standing.crew(workers=3, memory_bytes=0, dashboard=None, in_flight=3)
    clock.now += 10
    for known in (False, False, True):
        standing.made(True, 1, 1)
        found = standing.snapshot()
        assert found.views_a_second is not None
        assert (found.seconds_left is not None) == known
    assert found.seconds_left == pytest.approx(97 * 10 / 3)


def test_nothing_is_divided_by_no_time_at_all(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(scans=1, views=1)
    standing.made(True, 1, 1)
    found = standing.snapshot()
    assert found.views_a_second is found.views_a_second_overall is found.seconds_left is None


def test_rejected_views_are_not_waited_for(clock: Clock) -> None:
    standing = Standing(clock)
    standing.rejected("FormatError")  # of a survey: nothing was to be made of it
    standing.begin(scans=10, views=70)
    for _ in range(4):
        clock.now += 7
        standing.made(True, 7, 7)
        standing.rejected("MeshError", views=7)
    found = standing.snapshot()
    assert found.rejects == {"MeshError": 4, "FormatError": 1}
    assert list(found.rejects) == ["MeshError", "FormatError"]
    assert (found.rejected, found.scans_rejected, found.scans_made, found.waiting) == (5, 4, 4, 2)
    assert (found.views, found.views_made) == (42, 28)
    assert found.views_a_second == pytest.approx(1.0)
    assert found.seconds_left == pytest.approx(7.0)  # 14 views, of which every other will be rejected


def test_a_build_that_ends_early_tells_no_time(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(2, 14)
    clock.now += 7
    standing.made(True, 7, 7)
    assert standing.snapshot().seconds_left == 7.0
    standing.ending("finishing the scans in hand")
    found = standing.snapshot()
    assert (found.seconds_left, found.doing) == (None, "finishing the scans in hand")
    standing.doing("folding the journal")
    assert standing.snapshot().seconds_left is None


def test_a_scan_of_several_jobs_is_done_with_its_last(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(scans=1, views=24)
    for last in (False, False, True):
        assert standing.snapshot().scans_made == 0
        standing.made(last, 8, 40)
    assert standing.snapshot().scans_made == 1
    assert standing.snapshot().share == 1.0


def test_an_empty_build_stands_at_nothing(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(scans=0, views=0, views_kept=14)
    clock.now += 1
    assert standing.snapshot() == Snapshot(begun=True, views_kept=14, seconds=1.0)


def test_a_snapshot_stays_as_it_was(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(2, 2)
    standing.rejected("MeshError", 1)
    before = standing.snapshot()
    standing.rejected("MeshError", 1)
    assert before.rejects == {"MeshError": 1}
    with pytest.raises(FrozenInstanceError):
        before.scans = 3  # type: ignore[misc]


def test_threads_lose_no_count(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(4000, 12_000)

    def feed() -> None:
        for _ in range(1000):
            standing.made(True, 2, 10)
            standing.rejected("MeshError", 1)
            standing.snapshot()

    threads = [Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = standing.snapshot()
    assert (found.scans_made, found.views_made, found.images, found.views) == (4000, 8000, 40_000, 8000)
    assert found.rejects == {"MeshError": 4000}


def test_a_long_build_keeps_little(clock: Clock) -> None:
    standing = Standing(clock)
    standing.begin(100_000, 100_000)
    for _ in range(100_000):
        clock.now += 0.125
        standing.made(True, 1, 1)
    assert len(standing._past) == 481  # a minute of them, and where it began
