"""Plans, who carries them out in this process, and the roster of those who do so elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from graph_steps import PLAN, Fake, carry_out, giver, jobs_of, noted
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, MeshError
from pipeline.graph.crew import Terms, open_crew
from pipeline.graph.plan import CrewFacts, Job, Outcome, Step, checked
from pipeline.graph.roster import DEATHS, LEAVES, Roster
from pipeline.graph.serial import Serial


def test_each_step_gets_the_results_that_it_needs_in_their_order(tmp_path: Path) -> None:
    with Serial() as crew:
        outcomes = carry_out(crew, tmp_path, [Fake(0), Fake(1), Fake(2)])
    assert [outcome.value for outcome in outcomes] == [(0, 0, 1), (1, 2, 3), (2, 4, 5)]
    assert noted(tmp_path, 1) == ["look", "work", "tell"]


def test_nothing_is_taken_before_the_one_in_hand_is_done(tmp_path: Path) -> None:
    jobs, taken = jobs_of([Fake(0), Fake(1)]), []
    take = giver(jobs)

    def counted() -> Job | None:
        taken.append(len(list(tmp_path.iterdir())))
        return take()

    with Serial() as crew:
        assert [o.job for o in crew.carry_out(PLAN, tmp_path, counted)] == jobs
    assert taken == [0, 1, 2]


def test_what_a_step_raises_comes_out_as_it_is(tmp_path: Path) -> None:
    with Serial() as crew, pytest.raises(MeshError, match=r"^1 is no person$"):
        carry_out(crew, tmp_path, [Fake(0), Fake(1, bad=True), Fake(2)])
    assert noted(tmp_path, 2) == []


def test_serial_stands_alone_and_stops_when_told(tmp_path: Path) -> None:
    with Serial() as crew:
        for number, _ in enumerate(
            crew.carry_out(PLAN, tmp_path, giver(jobs_of([Fake(0), Fake(1), Fake(2)])))
        ):
            facts = crew.standing()
            assert facts == CrewFacts(1, facts.memory_bytes, None, 0)
            assert 10_000_000 < facts.memory_bytes < 100_000_000_000
            if number == 1:
                crew.stop()
    assert (noted(tmp_path, 1), noted(tmp_path, 2)) == (["look", "work", "tell"], [])


@pytest.mark.parametrize(
    "plan",
    [(), (Step("a", print, ("b",)), Step("b", print)), (Step("a", print), Step("a", print))],
    ids=["empty", "needs what comes later", "twice the same"],
)
def test_a_plan_that_cannot_be_carried_out_is_a_bug(plan: tuple[Step, ...]) -> None:
    with pytest.raises(ValueError, match="plan"):
        checked(plan)


def test_no_workers_are_this_process_and_what_is_no_cluster_is_refused() -> None:
    assert isinstance(open_crew(Terms(workers=0, where="slurm")), Serial)
    with pytest.raises(ConfigError, match=r"cluster is 'lokal'; it is local, slurm, tcp://\.\.\."):
        open_crew(Terms(where="lokal"))
    with pytest.raises(ConfigError, match="name a profile"):
        open_crew(Terms(where="slurm"))


def test_only_the_job_that_a_worker_had_is_blamed_for_its_death() -> None:
    roster, bad, good = Roster(), Job("bad", 0), Job("good", 1)
    for death in range(1, DEATHS + 1):
        roster.arrive(f"a{death}")
        roster.arrive("b")
        assert roster.to_repeat() == (bad if death > 1 else None)
        roster.give(f"a{death}", bad)
        if death == 1:
            roster.give("b", good)
        outcome = roster.leave(f"a{death}", "render")
    assert outcome == Outcome(bad, lost="render")
    assert (roster.in_flight, roster.workers, roster.addresses()) == (1, 1, {"b"})
    assert roster.finish("b") == good
    assert roster.leave("b", "render") is None  # it had nothing any more


def test_workers_that_go_as_they_should_are_no_deaths_but_have_an_end() -> None:
    roster, job = Roster(), Job("long", 0)
    outcomes = []
    for turn in range(LEAVES):
        roster.arrive(f"{turn}")
        roster.to_repeat()
        roster.give(f"{turn}", job)
        roster.send_off(f"{turn}")
        outcomes.append(roster.leave(f"{turn}", None))
    assert outcomes[:-1] == [None] * (LEAVES - 1)
    assert outcomes[-1] == Outcome(job, lost="a step that outlasts every worker")
    assert roster.in_flight == 0


def test_who_is_about_to_go_gets_nothing_more() -> None:
    roster = Roster()
    roster.arrive("a")
    roster.give("a", Job("0", 0))
    roster.send_off("a")
    roster.finish("a")
    roster.arrive("a")
    assert (roster.someone_free(), roster.workers, roster.is_off("a")) == (None, 0, True)
    roster.leave("a", None)
    roster.arrive("a")  # another one, at the same address
    assert roster.someone_free() == "a"


@given(
    st.lists(st.tuples(st.sampled_from("came went died ended done give".split()), st.integers(0, 4))),
    st.integers(1, 4),
)
def test_no_job_is_ever_lost_track_of(events: list[tuple[str, int]], most: int) -> None:
    roster, given_out, settled = Roster(most), 0, 0
    for kind, number in events:
        address = f"{number}"
        busy = address in roster._busy
        if kind == "came":
            roster.arrive(address)
        elif kind == "ended" and address in roster.addresses():
            roster.send_off(address)
        elif kind in {"went", "died"}:
            settled += roster.leave(address, "x" if kind == "died" else None) is not None
        elif kind == "done" and busy:
            roster.finish(address)
            settled += 1
        elif kind == "give" and (free := roster.someone_free()):
            job = roster.to_repeat()
            given_out += job is None
            roster.give(free, job or Job(f"{given_out}", None))
        assert roster.in_flight == given_out - settled
        assert len(roster._busy) <= most
    roster.drop()
    assert roster.in_flight == 0
