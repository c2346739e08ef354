"""Jobs: portions of needs, handed out one after the other, all of them once, whatever comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from manifest_rows import scan_row, view_row

from pipeline.conduct.jobs import VIEWS, Jobs
from pipeline.conduct.needs import Need, Want
from pipeline.conduct.steps import Made
from pipeline.graph.plan import Job
from pipeline.records import Fault, Subject
from pipeline.rows import Place

COLUMNS = frozenset({"depth_front"})


def need(scan: str, views: int, seen: Sequence[int] = ()) -> Need:
    """A scan of which so many views are wanted, and of some of them there are rows."""
    places = [Place(f"v{number}", "perspective", float(number), 0.0) for number in range(views)]
    rows = tuple(replace(view_row(scan), view=f"v{number}") for number in seen)
    wants = tuple(Want(place, COLUMNS) for place in places)
    return Need(Subject("2K2K", scan, "train"), None, "stamp", None, False, rows, wants, ("new scan",))


def views_of(job: Job) -> list[str]:
    return [want.place.view for want in job.item.wants]


def made(job: Job) -> Made:
    return Made(scan_row(job.item.subject.id), len(job.item.wants))


def drain(jobs: Jobs) -> Iterator[Job]:
    """All jobs, each carried out before the next is asked for."""
    while job := jobs.take():
        yield job
        jobs.back(job, made(job))


@pytest.mark.parametrize("views", [1, VIEWS, VIEWS + 1, 3 * VIEWS, 3 * VIEWS + 5])
def test_every_view_is_handed_out_once_and_in_order(views: int) -> None:
    jobs = list(drain(Jobs(iter([need("a", views)]), lambda: False)))
    assert [view for job in jobs for view in views_of(job)] == [f"v{number}" for number in range(views)]
    assert len(jobs) == -(-views // VIEWS)
    assert max(len(job.item.wants) for job in jobs) <= VIEWS
    assert len({job.name for job in jobs}) == len(jobs)


def test_the_first_portion_knows_all_rows_and_the_others_their_own() -> None:
    seen = (0, VIEWS, VIEWS + 1, 2 * VIEWS + 3, 99)
    first, second, third = drain(Jobs(iter([need("a", 3 * VIEWS, seen)]), lambda: False))
    assert [row.view for row in first.item.rows] == [f"v{number}" for number in seen]
    assert [row.view for row in second.item.rows] == [f"v{VIEWS}", f"v{VIEWS + 1}"]
    assert [row.view for row in third.item.rows] == [f"v{2 * VIEWS + 3}"]


def test_what_the_first_portion_found_out_is_known_to_the_next() -> None:
    jobs = Jobs(iter([need("a", VIEWS + 1)]), lambda: False)
    first = jobs.take()
    assert first and not first.item.is_same and first.item.known is None
    row = scan_row("a")
    assert jobs.back(first, Made(row, VIEWS)) == 1
    second = jobs.take()
    assert second and second.item.known is row


def test_others_are_handed_out_while_a_scan_is_in_hand_and_its_rest_goes_first() -> None:
    needs = [need("a", 2 * VIEWS), need("b", 1), need("c", 1)]
    jobs = Jobs(iter(needs), lambda: False)
    a, b = jobs.take(), jobs.take()
    assert a and b and (a.item.subject.id, b.item.subject.id) == ("a", "b")
    assert jobs.back(a, made(a)) == VIEWS
    rest, c = jobs.take(), jobs.take()
    assert rest and c and (rest.item.subject.id, c.item.subject.id) == ("a", "c")
    assert rest.name != a.name
    assert jobs.take() is None
    assert [jobs.back(job, made(job)) for job in (c, rest, b)] == [0, 0, 0]
    assert jobs.take() is None


def test_the_rest_of_a_scan_that_cannot_be_used_is_dropped_and_counted() -> None:
    jobs = Jobs(iter([need("a", 2 * VIEWS + 3), need("b", 1)]), lambda: False)
    a = jobs.take()
    assert a
    fault = Fault("2K2K", "a", "render", "MeshError", "no colours")
    assert jobs.back(a, Made(fault=fault)) == VIEWS + 3
    assert [job.item.subject.id for job in drain(jobs)] == ["b"]


def test_once_it_is_over_scans_that_were_begun_are_finished_and_no_other() -> None:
    over: list[bool] = []
    jobs = Jobs(iter([need("a", 2 * VIEWS), need("b", 1), need("c", 1)]), lambda: bool(over))
    a, b = jobs.take(), jobs.take()
    assert a and b
    over.append(True)
    assert jobs.take() is None and not jobs.is_through
    jobs.back(a, made(a))
    assert not jobs.is_through
    assert [views_of(job) for job in drain(jobs)] == [[f"v{VIEWS + number}" for number in range(VIEWS)]]
    assert not jobs.is_through, "b is in hand"
    jobs.back(b, made(b))
    assert jobs.is_through and jobs.take() is None


def test_it_is_not_through_while_nobody_says_so() -> None:
    jobs = Jobs(iter([]), lambda: False)
    assert jobs.take() is None and not jobs.is_through
