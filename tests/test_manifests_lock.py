"""One build at a time: who is refused, who is taken for dead, and that of two takers only one wins."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pytest
from manifest_rows import FACTS

from manifests import fold
from manifests import lock as locks
from manifests.lock import FolderLock, Holder
from pipeline.errors import ManifestError

HOLDING = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from manifests.lock import FolderLock
with FolderLock(Path({folder!r})):
    print("held", flush=True)
    time.sleep(60)
"""


def _holding(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    code = HOLDING.format(root=str(Path(__file__).parents[1]), folder=str(folder))
    holder = subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    return holder


def _leave(folder: Path, silent: float = 0.0, **other: object) -> None:
    """A lock file as some other build would have left it."""
    folder.mkdir(exist_ok=True)
    holder = replace(locks._myself(), **cast(Any, other))
    path = folder / "build.lock.4"
    path.write_text(json.dumps(asdict(holder)))
    moment = time.time() - silent
    os.utime(path, (moment, moment))


def test_a_second_build_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    with _holding(tmp_path) as holder:
        said = (
            rf"another build writes .*: host {socket.gethostname()}, pid {holder.pid}, for \d+ s, .*; wait"
        )
        with pytest.raises(ManifestError, match=said), FolderLock(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with FolderLock(tmp_path) as lock:
        lock.require()


def test_it_is_free_after_the_block_and_refused_inside(tmp_path: Path) -> None:
    for _ in range(3):
        with FolderLock(tmp_path), pytest.raises(ManifestError, match="pid"), FolderLock(tmp_path):
            pass
    assert len(list(tmp_path.iterdir())) == 1, "old numbers and temporary files are gone"


@pytest.mark.parametrize(
    "other",
    [
        {"pid": 2**22 + 1},  # above the highest that Linux gives
        {"started": "1"},  # the number is another process's now
        {"machine": "", "silent": 601.0},
        {"machine": "another boot", "host": "elsewhere", "silent": 601.0},
    ],
    ids=["dead", "number used again", "cannot be looked at", "elsewhere"],
)
def test_a_stale_lock_is_taken_over(tmp_path: Path, other: dict[str, Any]) -> None:
    _leave(tmp_path, **other)
    with FolderLock(tmp_path) as lock:
        lock.require()


@pytest.mark.parametrize("other", [{}, {"machine": "another boot", "host": "far"}], ids=["here", "far"])
def test_a_lock_that_may_live_is_not_taken_over(tmp_path: Path, other: dict[str, Any]) -> None:
    _leave(tmp_path, 500.0, **other)
    with pytest.raises(ManifestError, match="last sign of life 8 min ago"), FolderLock(tmp_path):
        pass


def test_a_file_that_says_nothing_is_somebody_who_just_began_but_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "build.lock.1"
    for content in (b"", b"{", b"[]", b'{"host": 1}'):
        path.write_bytes(content)
        with pytest.raises(ManifestError, match="who began just now"), FolderLock(tmp_path):
            pass
    os.utime(path, (1, 1))
    with FolderLock(tmp_path):
        pass


def test_of_many_who_take_over_at_once_one_wins(tmp_path: Path) -> None:
    def attempt(_: int) -> bool:
        try:
            lock = FolderLock(folder)
            lock.__enter__()
        except ManifestError:
            return False
        return True

    with ThreadPoolExecutor(8) as takers:
        for turn in range(30):
            folder = tmp_path / str(turn)
            _leave(folder, pid=2**22 + 1)
            assert sum(takers.map(attempt, range(8))) == 1


def test_one_who_looked_long_ago_cannot_take_what_is_held_now(tmp_path: Path) -> None:
    late = FolderLock(tmp_path)
    _leave(tmp_path, pid=2**22 + 1)
    number, said = late._newest()
    assert (number, said) == (4, None)
    with FolderLock(tmp_path), pytest.raises(ManifestError, match="just now"):
        late._claim(number + 1)
    with FolderLock(tmp_path) as lock:  # by now the number it had in mind is free again
        with pytest.raises(ManifestError, match="just now"):
            late._claim(number + 1)
        lock.require()


def test_a_build_that_was_taken_over_writes_nothing_more(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as lock:
        fold.fold(lock, FACTS)
        (tmp_path / "build.lock.2").write_text("{}")
        with pytest.raises(ManifestError, match=r"took .* over"):
            fold.fold(lock, FACTS)
    with pytest.raises(ManifestError, match="without its lock"):
        fold.fold(lock, FACTS)


def test_signs_of_life_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_BEAT", 0.01)
    with FolderLock(tmp_path):
        (path,) = tmp_path.iterdir()
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 1


def test_a_process_that_ended_but_was_not_waited_for_is_gone() -> None:
    with subprocess.Popen((sys.executable, "-c", "")) as child:
        began = locks._start_of(child.pid)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert began
        assert locks._start_of(child.pid) is None
        assert locks._is_gone(Holder("", locks._machine(), child.pid, began, 0.0), 0.0)


def test_only_who_sees_the_folder_reads_its_sign(tmp_path: Path) -> None:
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    with FolderLock(there) as lock, FolderLock(elsewhere):
        assert lock.sign == locks.sign_in(there)
        assert lock.sign != locks.sign_in(elsewhere)
        first = lock.sign
    assert locks.sign_in(tmp_path / "nowhere") == ""
    with FolderLock(there) as again:
        assert again.sign != first


def test_different_works_do_not_hinder_each_other(tmp_path: Path) -> None:
    with FolderLock(tmp_path), FolderLock(tmp_path, "training"):
        with (
            pytest.raises(ManifestError, match="another training writes"),
            FolderLock(tmp_path, "training"),
        ):
            pass
        with pytest.raises(ManifestError, match="another build writes"), FolderLock(tmp_path):
            pass
