"""One build at a time on a dataset, one training on a run: who holds it, and what if that one is gone.

The lock is a file with a number in its name, made with O_EXCL, which is atomic on local disks and on NFS
since version 3; flock and lockf are neither sure to exist there nor to be seen by other hosts. Who takes
over makes the file with the next number, so of two only one can. The highest number counts, free or held,
and is never removed. Refuses to know what is being made.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from pipeline.atomic import write_bytes
from pipeline.errors import ManifestError

BUILD = "build"  # what is usually done with a lock
_BEAT = 20.0  # seconds between signs of life
_SILENCE = 600.0  # seconds without one after which a holder that cannot be looked at is taken for dead


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: `machine` is one boot of one host, and one space of process numbers."""

    host: str
    machine: str
    pid: int
    started: str
    since: float

    def told(self, silent: float) -> str:
        """Who it is, and how long."""
        age = _duration(time.time() - self.since)
        return f"host {self.host}, pid {self.pid}, for {age}, last sign of life {_duration(silent)} ago"


class FolderLock:
    """The right to write in a folder, held inside `with`; `is_heir` of one who died with it.

    `work` is what is done with it: different works do not hinder each other.
    """

    def __init__(self, folder: Path, work: str = BUILD) -> None:
        self.folder = folder
        self._work = work
        self._number: int | None = None
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        number, said = self._newest()
        if said is not None:
            raise ManifestError(
                f"another {self._work} writes {self.folder}: {said}; wait for it, or end it and try again"
            )
        self.is_heir = bool(sign_in(self.folder, self._work).strip("{}"))
        self._number = self._claim(number + 1)
        self._beating = threading.Thread(target=self._beat, daemon=True, name="lock")
        self._done.clear()
        self._beating.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._beating.join()
        if self._is_newest():
            _free(self._path(self._number or 0))
        self._number = None

    def require(self) -> None:
        """Refuse to go on without the lock, or after it was taken for dead and another build began."""
        if self._number is None:
            raise ManifestError(f"{self.folder} was to be written without its lock")
        if not self._is_newest():
            raise ManifestError(
                f"another {self._work} took {self.folder} over, as this one gave no sign of life for "
                f"{_duration(_SILENCE)}; run it again"
            )

    @property
    def sign(self) -> str:
        """What only this build's lock says: who reads the same by `sign_in` sees the same folder."""
        self.require()
        return sign_in(self.folder, self._work)

    def _claim(self, number: int) -> int:
        """Make the file of this number: only one can, and only while none is higher."""
        path = self._path(number)
        try:
            with path.open("xb") as stream:
                stream.write(json.dumps(asdict(_myself())).encode())
        except FileExistsError:
            raise ManifestError(
                f"another {self._work} began on {self.folder} just now; wait for it"
            ) from None
        except OSError:
            path.unlink(missing_ok=True)  # half a file would pass for somebody who began just now
            raise
        numbers = _numbers(self.folder, self._work)
        if max(numbers) != number:  # it was made by somebody who had looked long ago
            path.unlink(missing_ok=True)
            raise ManifestError(f"another {self._work} began on {self.folder} just now; wait for it")
        for old in numbers:
            if old < number:
                self._path(old).unlink(missing_ok=True)
        return number

    def _newest(self) -> tuple[int, str | None]:
        """The highest number, 0 if none, and what to say of its holder; None: it is free or stale."""
        number = max(_numbers(self.folder, self._work), default=0)
        try:
            text = self._path(number).read_bytes()
            silent = self._now() - self._path(number).stat().st_mtime
        except FileNotFoundError:
            return number, None
        try:
            held = json.loads(text)
            if held == {}:
                return number, None
            holder = Holder(**held)
        except (ValueError, TypeError):
            return number, None if silent > _SILENCE else "somebody who began just now"
        return number, None if _is_gone(holder, silent) else holder.told(silent)

    def _now(self) -> float:
        """The time as the disk has it, whose clock the signs of life are by."""
        probe = self.folder / f".{uuid4().hex}.tmp"
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def _is_newest(self) -> bool:
        return (
            self._number is not None and max(_numbers(self.folder, self._work), default=0) == self._number
        )

    def _path(self, number: int) -> Path:
        return _file(self.folder, self._work, number)

    def _beat(self) -> None:
        while not self._done.wait(_BEAT):
            with suppress(OSError):
                os.utime(self._path(self._number or 0))


def sign_in(folder: Path, work: str = BUILD) -> str:
    """What the lock in a folder says of its holder; empty where there is none."""
    try:
        return _file(folder, work, max(_numbers(folder, work), default=0)).read_text()
    except OSError:
        return ""


def _free(path: Path) -> None:
    """Leave a lock's number, and nobody's; on a disk without room for another file, in its place."""
    try:
        write_bytes(path, b"{}")
    except OSError:
        with path.open("r+b") as stream:
            stream.write(b"{}")
            stream.truncate()


def _file(folder: Path, work: str, number: int) -> Path:
    return folder / f"{work}.lock.{number}"


def _numbers(folder: Path, work: str) -> list[int]:
    ends = (path.name.rpartition(".")[2] for path in folder.glob(f"{work}.lock.*"))
    return [int(end) for end in ends if end.isdecimal()]


def _myself() -> Holder:
    pid = os.getpid()
    return Holder(socket.gethostname(), _machine(), pid, _start_of(pid) or "", time.time())


def _is_gone(holder: Holder, silent: float) -> bool:
    """Whether a holder has ended: surely, where it can be looked at; otherwise by its silence."""
    if holder.machine == _machine() and holder.started:
        return _start_of(holder.pid) != holder.started
    return silent > _SILENCE


def _machine() -> str:
    """One boot of one host, and one space of process numbers; empty where that cannot be known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """When a process began, in the kernel's own ticks; None: it does not run, or cannot be looked at."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"
