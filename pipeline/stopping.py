"""How work that is asked to end ends: what is in hand is finished first; asked again, at once.

Refuses to know what there is to finish.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Any, Self

_ONCE_MORE = frozenset({signal.SIGINT, signal.SIGTERM})  # what somebody sends twice on purpose
_HANG_UP = signal.SIGHUP  # the terminal is gone; it may come twice by itself


class Stopping:
    """While it lasts, Ctrl-C, a polite kill and a terminal that goes away make `asked` true.

    `first` is called once then, in a thread of its own: it may write and take locks, which must not be
    done amid a signal. A second Ctrl-C or kill raises KeyboardInterrupt at once. A signal that was ignored
    before (nohup, a script's background) stays so. In another thread than the main one it does nothing.
    """

    def __init__(self, first: Callable[[], None]) -> None:
        self._first = first
        self._asked = False
        self._meant = False  # did somebody press a key, or send a kill?
        self._before: dict[signal.Signals, Any] = {}
        self._bell: SimpleQueue[bool] = SimpleQueue()  # the one queue that a signal handler may put into
        self._teller = threading.Thread(target=self._tell, name="stopping", daemon=True)

    @property
    def asked(self) -> bool:
        """Was the work asked to end?"""
        return self._asked

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._teller.start()
            for number in (*_ONCE_MORE, _HANG_UP):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._teller.is_alive():
            self._bell.put(False)
            self._teller.join()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        """One of the signals came."""
        if number in _ONCE_MORE and self._meant:
            raise KeyboardInterrupt
        self._meant = self._meant or number in _ONCE_MORE
        if not self._asked:
            self._asked = True
            self._bell.put(True)

    def _tell(self) -> None:
        """Call `first` when the bell rings; a terminal that is gone hears nothing."""
        if self._bell.get():
            with suppress(OSError):
                self._first()
