from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.conduct.standing import Planned, Snapshot, Summary
from pipeline.conduct.wording import (
    COLUMNS,
    bytes_text,
    line_of,
    lines_of,
    lines_of_plan,
    printable,
    rate_text,
    reasons_text,
    time_text,
)

MIDWAY = Snapshot(
    begun=True,
    scans=2050,
    scans_made=776,
    scans_rejected=4,
    views=14_350,
    views_made=5432,
    views_kept=70,
    images=27_160,
    rejects={"MeshError": 3, "FormatError": 1},
    in_flight=8,
    waiting=1262,
    workers=4,
    memory_bytes=12_340_000_000,
    dashboard="http://127.0.0.1:8787/status",
    seconds=3905.0,
    views_a_second=1.391,
    views_a_second_overall=1.391,
    seconds_left=6411.0,
)
DONE = Summary(
    dataset="2K2K",
    scans_made=776,
    scans_kept=1266,
    views_made=5432,
    views_kept=8862,
    images=27_160,
    rejects={("align", "MeshError"): 3, ("render", "LostWorker"): 1, ("align", "FormatError"): 1},
    skipped_rejects=2,
    seconds=3905.2,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (8.14, "8.1 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (172_760, "47 h 59 min"),
        (172_799, "2 days 0 h"),
        (273_600, "3 days 4 h"),
    ],
)
def test_times_are_as_exact_as_anybody_wants(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 MB"), (850_400_000, "850 MB"), (999_600_000, "1.0 GB"), (12_340_000_000, "12.3 GB")],
)
def test_memory_is_in_decimal_units(count: int, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.0, "0 views a minute"),
        (0.0123, "0.74 views a minute"),
        (0.1, "0.1 views a second"),
        (1.391, "1.39 views a second"),
        (99.94, "99.9 views a second"),
        (12_345.6, "12,346 views a second"),
    ],
)
def test_rates_have_about_three_digits(rate: float, text: str) -> None:
    assert rate_text(rate) == text


def test_only_the_usual_reasons_are_named() -> None:
    assert reasons_text({}) == ""
    assert reasons_text({"A": 1200, "B": 3}) == "1,200 A, 3 B"
    assert (
        reasons_text(dict(zip("ABCDEFG", range(7, 0, -1), strict=True)))
        == "7 A, 6 B, 5 C, 4 D, 3 E, 3 others"
    )


def test_a_text_keeps_its_letters_and_loses_what_moves_a_cursor() -> None:
    assert printable("Jörg 人 a b") == "Jörg 人 a b"
    assert printable("\x1b[2J\n\t\x00\udcff") == r"\x1b[2J\n\t\x00\udcff"


def test_a_line_says_all_that_is_known() -> None:
    assert line_of(MIDWAY) == (
        "5,432 of 14,350 views, 776 of 2,050 scans, 1.39 views a second, 1 h 47 min left, "
        "4 rejected (3 MeshError, 1 FormatError), 8 in hand, 1,262 waiting, 4 workers, 12.3 GB"
    )


def test_a_line_leaves_out_what_is_not_known() -> None:
    assert line_of(Snapshot(doing="reading the manifest")) == "reading the manifest"
    begun = Snapshot(begun=True, scans=4, views=28, waiting=4, doing="starting workers")
    assert line_of(begun) == "0 of 28 views, 0 of 4 scans, 0 in hand, 4 waiting, starting workers"
    assert "1 worker," in line_of(replace(MIDWAY, workers=1))


def test_the_table_at_the_end_adds_up() -> None:
    places = {"images": Path("/mnt/data/PERS"), "log": Path("/mnt/data/logs/2K2K/a.log")}
    assert lines_of(replace(DONE, places=places)) == [
        "2K2K: done",
        "                            scans       views      images",
        "made                          776       5,432      27,160",
        "kept                        1,266       8,862",
        "rejected                        5",
        "  align: MeshError              3",
        "  align: FormatError            1",
        "  render: LostWorker            1",
        "rejected before                 2   not tried again; --retry-rejects does",
        "time                  1 h 05 min, 1.39 views a second",
        "images                /mnt/data/PERS",
        "log                   /mnt/data/logs/2K2K/a.log",
    ]


def test_the_title_says_how_it_ended() -> None:
    nothing = replace(
        DONE, scans_made=0, views_made=0, images=0, rejects={}, skipped_rejects=0, seconds=0.41
    )
    assert lines_of(nothing) == [
        "2K2K: everything is up to date",
        "            scans       views      images",
        "made            0           0           0",
        "kept        1,266       8,862",
        "time  0.4 s",
    ]
    assert lines_of(replace(DONE, stopped=True))[0] == (
        "2K2K: stopped early; the same command goes on from here"
    )
    only_rejects = replace(nothing, rejects={("read", "FormatError"): 1})
    assert lines_of(only_rejects)[0] == "2K2K: done"


def test_a_plan_says_what_and_why_and_of_whom() -> None:
    planned = Planned(
        dataset="2K2K",
        reasons={"not made yet": (20, 140, 700), "the light is another": (10, 70, 70)},
        views=210,
        images=770,
        scans=[(f"{n:05}", ["not made yet"] if n < 20 else ["the light is another"]) for n in range(30)],
        scans_kept=2020,
        views_kept=14_140,
        skipped_rejects=3,
    )
    found = lines_of_plan(planned)
    assert found[:9] == [
        "2K2K: what would be made, and why",
        "                            scans       views      images",
        "not made yet                   20         140         700",
        "the light is another           10          70          70",
        "in all                         30         210         770",
        "kept                        2,020      14,140",
        "rejected before                 3   not tried again; --retry-rejects does",
        "",
        "00000  not made yet",
    ]
    assert found[-2:] == ["00019  not made yet", "and 10 scans more"]
    assert len(found) == 8 + 20 + 1


def test_a_plan_of_nothing_says_so() -> None:
    assert lines_of_plan(Planned("2K2K", {}, 0, 0, [], 2050, 14_350, 0)) == [
        "2K2K: everything is up to date, nothing would be made",
        "            scans       views      images",
        "kept        2,050      14,350",
    ]


def test_tables_fit_a_terminal() -> None:
    large = replace(
        DONE,
        scans_made=100_000,
        views_made=2_400_000,
        images=12_000_000,
        rejects={("keypoints", "AlignmentError"): 100_000},
        skipped_rejects=99_999,
    )
    reasons = ["not made yet", "the files are gone", "the scan or what is said of it is another", "forced"]
    planned = Planned("2K2K", {}, 0, 0, [("x" * 30, reasons), ("00003", reasons * 3)], 0, 0, 0)
    for text in (*lines_of(large), *lines_of_plan(planned)):
        assert len(text) <= COLUMNS, text
