from __future__ import annotations

import errno
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.conduct.logbook import KEPT, Logbook, logbook
from pipeline.errors import RenderError
from pipeline.records import Fault

STAMP = "2026-11-21T06:09:19.250Z"
WHEN = datetime(2026, 11, 21, 6, 9, 19, 250_000, tzinfo=UTC)
EVENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO   |WARNING|ERROR  ) \S.*")
FAULT = Fault("2K2K", "00007", "align", "MeshError", "nothing but\na floor")


def refused(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Logbook]:
    book = Logbook(tmp_path, refused, lambda: WHEN)
    yield book
    book.close()


def lines(book: Logbook) -> list[str]:
    assert book.path is not None
    return book.path.read_text(encoding="utf-8").splitlines()


def test_a_log_is_called_after_its_time_and_process(book: Logbook, tmp_path: Path) -> None:
    assert book.path == tmp_path / f"20261121T060919Z-{os.getpid()}.log"
    other = Logbook(tmp_path, refused, lambda: WHEN)
    other.close()
    assert other.path == tmp_path / f"20261121T060919Z-{os.getpid()}-2.log"


def test_an_event_is_a_line_and_is_there_at_once(book: Logbook) -> None:
    book.note("00003: 7 views")
    assert lines(book) == [f"{STAMP} INFO    00003: 7 views"]
    book.warn("no card")
    book.fail("the end")
    assert lines(book)[1:] == [f"{STAMP} WARNING no card", f"{STAMP} ERROR   the end"]


def test_a_reject_has_its_stage_reason_and_detail(book: Logbook) -> None:
    book.reject(FAULT)
    assert lines(book)[0] == f"{STAMP} WARNING reject 00007: align: MeshError: nothing but"
    assert lines(book)[1] == "    a floor"


def test_a_table_stays_together(book: Logbook) -> None:
    book.table(["2K2K: done", "        scans", "made        3"])
    assert lines(book) == [f"{STAMP} INFO    2K2K: done", "            scans", "    made        3"]


def test_no_name_of_a_file_can_pass_for_an_event_or_move_a_cursor(book: Logbook) -> None:
    book.note(f"a\r\x1b[2J\udcff\u2028\n{STAMP} ERROR   forged")
    assert lines(book) == [
        f"{STAMP} INFO    a\\r\\x1b[2J\\udcff\\u2028",
        f"    {STAMP} ERROR   forged",
    ]


def test_threads_do_not_mix_their_lines(book: Logbook) -> None:
    def write(name: str) -> None:
        for _ in range(200):
            book.note(name * 500)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(lines(book)) == sorted(f"{STAMP} INFO    {name * 500}" for name in "abcd" * 200)


def test_a_log_begins_with_what_is_asked_and_ends_with_how_it_ended(tmp_path: Path) -> None:
    with logbook(tmp_path, {"request": '{"dataset": "2K2K"}'}, refused) as book:
        book.note("amid")
    found = lines(book)
    assert all(EVENT.fullmatch(line) for line in found)
    assert re.search(rf"INFO    scan2k \S+\+[0-9a-f]{{8}}, process {os.getpid()} on \S+$", found[0])
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in found[1]
    assert found[2].endswith('Z INFO    request: {"dataset": "2K2K"}')
    assert found[-2].endswith("amid")
    assert found[-1].endswith("INFO    ended")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RenderError("no GL"), "ended by RenderError: no GL"),
        (KeyboardInterrupt(), "ended by KeyboardInterrupt"),
        (SystemExit(1), "ended by SystemExit"),
    ],
)
def test_an_end_on_purpose_is_one_line(tmp_path: Path, error: BaseException, told: str) -> None:
    with pytest.raises(type(error)), logbook(tmp_path, {}, refused) as book:
        raise error
    assert lines(book)[-1].endswith(f"Z ERROR   {told}")


def test_a_fault_of_the_program_leaves_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), logbook(tmp_path, {}, refused) as book:
        _ = 1 / 0
    at = next(n for n, line in enumerate(lines(book)) if "ended by a fault of the program" in line)
    assert lines(book)[at + 1] == "    Traceback (most recent call last):"
    assert lines(book)[-1] == "    ZeroDivisionError: division by zero"


def test_a_build_that_is_killed_leaves_every_line(tmp_path: Path) -> None:
    killed = f"""
import os, signal
from pathlib import Path
from pipeline.conduct.logbook import logbook
with logbook(Path({str(tmp_path)!r}), {{}}, print) as book:
    for number in range(50):
        book.note(f"scan {{number}}")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", killed], cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == -signal.SIGKILL
    (path,) = tmp_path.iterdir()
    found = path.read_text().splitlines()
    assert [line.split("INFO    ")[1] for line in found[-50:]] == [f"scan {n}" for n in range(50)]


def test_the_last_hundred_logs_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    old = [f"{WHEN - timedelta(days=n):%Y%m%dT%H%M%SZ}-{n + 1}.log" for n in range(KEPT + 20)]
    others = ["notes.log", "20261121T060919Z-7.log.gz", "0.txt"]
    for name in (*old, *others):
        (tmp_path / name).touch()
    (tmp_path / "20200101T000000Z-1.log").mkdir()  # called like a log, and none; it counts, and stays
    with logbook(tmp_path, {}, refused, lambda: WHEN + timedelta(seconds=1)) as book:
        pass
    assert book.path is not None
    left = {path.name for path in tmp_path.iterdir()} - set(others) - {"20200101T000000Z-1.log"}
    assert left == {book.path.name, *old[: KEPT - 1]}


def test_a_folder_that_cannot_be_made_is_said_once_and_the_build_goes_on(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    said: list[str] = []
    with logbook(tmp_path / "logs" / "2K2K", {"request": "{}"}, said.append) as book:
        book.note("lost")
        logging.getLogger("distributed.scheduler").warning("lost too")
    assert book.path is None
    assert said == [f"there will be no log: {tmp_path}/logs/2K2K: not a directory"]


def test_a_disk_that_is_full_is_said_once_and_the_gap_is_marked(
    book: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    book._warn = said.append
    write, full = os.write, [False]

    def may_be_full(file: int, data: bytes) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", may_be_full)
    book.note("before")
    for full[0] in (True, False, True, False):
        book.note("one")
        book.note("two")
    assert said == [f"the log has gaps from now on: {book.path}: no space left on device"] * 2
    gap = f"{STAMP} WARNING missing here, as there was no room: 2 entries"
    there = [f"{STAMP} INFO    one", f"{STAMP} INFO    two"]
    assert lines(book) == [f"{STAMP} INFO    before", "", gap, *there, "", gap, *there]


def test_a_line_that_only_half_fits_is_no_part_of_the_next(tmp_path: Path) -> None:
    """By a real limit on the size of files, in a process of its own."""
    program = f"""
import resource
from pathlib import Path
from pipeline.conduct.logbook import Logbook
book = Logbook(Path({str(tmp_path)!r}), print)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (60, hard))
book.note("fits")
book.note("fits by half, and the rest is lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
book.note("fits again")
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] != 60
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[1],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.count("the log has gaps from now on") == 1
    (path,) = tmp_path.iterdir()
    first, half, gap, last = path.read_text().splitlines()
    assert first.endswith("INFO    fits")
    assert len(first) + 1 + len(half) == 60
    assert EVENT.fullmatch(gap)
    assert gap.endswith("no room: 1 entries")
    assert last.endswith("fits again")


@pytest.fixture
def library() -> Iterator[Callable[[str, bool], logging.Logger]]:
    """Loggers as a cluster's libraries set them up, taken down afterwards."""
    made: list[tuple[logging.Logger, bool, list[logging.Handler]]] = []

    def set_up(name: str, propagate: bool) -> logging.Logger:
        logger = logging.getLogger(name)
        made.append((logger, logger.propagate, logger.handlers))
        logger.propagate = propagate
        logger.handlers = [] if propagate else [logging.StreamHandler(sys.stderr)]
        return logger

    yield set_up
    for logger, propagate, handlers in made:
        logger.propagate, logger.handlers = propagate, handlers


def test_what_a_cluster_warns_of_goes_to_the_log_and_not_to_the_terminal(
    tmp_path: Path,
    library: Callable[[str, bool], logging.Logger],
    capsys: pytest.CaptureFixture[str],
) -> None:
    closed, opened = library("distributed", False), library("dask_jobqueue", True)
    own = list(closed.handlers)
    child = logging.getLogger("distributed.nanny.of_a_test")
    with logbook(tmp_path, {}, refused) as book:
        child.warning("worker %d was killed", 7)
        opened.error("no queue called %s", "gpu")
        child.info("all is well")
        child.warning("%d", "is no number")
    assert closed.handlers == own
    closed.warning("after the end")
    found = [line[25:] for line in lines(book)[2:-1]]
    assert found == [
        "WARNING distributed.nanny.of_a_test: worker 7 was killed",
        "ERROR   dask_jobqueue: no queue called gpu",
        "WARNING distributed.nanny.of_a_test: %d ('is no number',)",
    ]
    assert capsys.readouterr().err == "after the end\n"


def test_a_library_that_is_loaded_later_is_heard_too(tmp_path: Path) -> None:
    """Dask's own set-up of its loggers, in a process of its own."""
    program = f"""
import logging
from pathlib import Path
from pipeline.conduct.logbook import logbook
with logbook(Path({str(tmp_path)!r}), {{}}, print) as book:
    import distributed
    logging.getLogger("distributed.worker").warning("lost its scheduler")
    logging.getLogger("distributed.worker").info("all is well")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[1], check=True, capture_output=True
    )
    assert done.stdout == done.stderr == b""
    (path,) = tmp_path.iterdir()
    assert "WARNING distributed.worker: lost its scheduler\n" in path.read_text()
    assert "all is well" not in path.read_text()
