from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pipeline.stopping import Stopping

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Bell:
    """Counts its rings and can be waited for."""

    def __init__(self) -> None:
        self.rings = 0
        self.rung = threading.Event()

    def __call__(self) -> None:
        self.rings += 1
        self.rung.set()


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Every test leaves the handlers as they were."""
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


@contextmanager
def handled(number: signal.Signals, handler: Callable[..., Any] | signal.Handlers) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_only_asks(bell: Bell, number: signal.Signals) -> None:
    with Stopping(bell) as stopping:
        assert not stopping.asked
        signal.raise_signal(number)
        assert stopping.asked
        assert bell.rung.wait(60)
    assert bell.rings == 1


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_stops_at_once(bell: Bell, first: signal.Signals, second: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), Stopping(bell):
        signal.raise_signal(first)
        signal.raise_signal(second)
    assert bell.rings == 1


def test_a_terminal_that_goes_away_says_so_as_often_as_it_likes(bell: Bell) -> None:
    with Stopping(bell) as stopping:
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
        assert stopping.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert bell.rings == 1


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_is_ignored_stays_so(bell: Bell, number: signal.Signals) -> None:
    with handled(number, signal.SIG_IGN), Stopping(bell) as stopping:
        signal.raise_signal(number)
        assert not stopping.asked
    assert bell.rings == 0


def test_handlers_come_back_after_an_error_too(bell: Bell) -> None:
    def own(number: int, frame: object) -> None:
        raise AssertionError

    with handled(signal.SIGTERM, own):
        with pytest.raises(ValueError, match="amid"), Stopping(bell):
            assert signal.getsignal(signal.SIGTERM) is not own
            raise ValueError("amid")
        assert signal.getsignal(signal.SIGTERM) is own


def test_what_is_told_may_take_a_lock_that_the_signal_came_amid() -> None:
    lock, told = threading.Lock(), threading.Event()

    def tell() -> None:
        with lock:
            told.set()

    with Stopping(tell):
        with lock:
            signal.raise_signal(signal.SIGINT)
            assert not told.is_set()
        assert told.wait(60)


def test_a_terminal_that_is_gone_need_not_be_told() -> None:
    def tell() -> None:
        raise OSError(5, "Input/output error")

    with Stopping(tell) as stopping:  # pytest turns an error in a thread into a failure
        signal.raise_signal(signal.SIGHUP)
    assert stopping.asked


def test_in_another_thread_it_does_nothing(bell: Bell) -> None:
    found: list[Callable[..., Any] | int | None] = []

    def build() -> None:
        with Stopping(bell) as stopping:
            found.append(signal.getsignal(signal.SIGINT))
        assert not stopping.asked

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    assert found == [before]
    assert bell.rings == 0


def test_no_thread_stays(bell: Bell) -> None:
    before = threading.active_count()
    for asked in (False, True):
        with Stopping(bell):
            if asked:
                signal.raise_signal(signal.SIGINT)
        assert threading.active_count() == before
