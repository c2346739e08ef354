"""Loading: the same samples whoever loads them, and a clear end when they cannot be loaded."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from manifest_rows import FACTS
from torch import Tensor
from training_rows import write_people

from manifests.files import write_table
from manifests.read import open_manifest
from manifests.schema import VIEWS, rows_of, table_of
from pipeline.errors import ConfigError, ManifestError, TrainingError
from pipeline.rows import ViewRow
from recon.data.augment import prepared
from recon.data.backgrounds import Backgrounds
from recon.data.batch import Batch
from recon.data.choice import Choice, choose
from recon.data.loading import Lane, Loader, usual_workers
from recon.data.sift import FILES
from recon.recipe import Recipe, Source

RECIPE = Recipe(size=256, batch=4, seed=11)
SPHERES = (Source("spheres"),)
Seen = list[tuple[str, Tensor]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five people from two sides."""
    folder = tmp_path_factory.mktemp("data")
    write_people(folder, people=5, yaws=(0, 40))
    return folder


@pytest.fixture(scope="module")
def choice(data: Path) -> Choice:
    return choose(SPHERES, data, "train", (), 256)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _loader(choice: Choice, workers: int = 0, lane: Lane | None = None) -> Loader:
    return Loader(choice, RECIPE, backgrounds=Backgrounds(), workers=workers, lane=lane or Lane())


def _seen(batch: Batch) -> Seen:
    made = prepared(batch, RECIPE)
    pixels = torch.cat((made.image_B3HW, made.depth_B2HW), 1)
    return list(zip(batch.names, pixels, strict=True))


def _step(loader: Loader, epoch: int, step: int) -> Seen:
    batches = next(loader.epoch(epoch, start=step))
    return [one for batch in batches for one in _seen(batch)]


def _same(first: Seen, second: Seen) -> bool:
    return [name for name, _ in first] == [name for name, _ in second] and all(
        torch.equal(a, b) for (_, a), (_, b) in zip(first, second, strict=True)
    )


def test_an_epoch_has_every_view_and_full_steps(choice: Choice) -> None:
    loader = _loader(choice)
    assert loader.steps == 3  # of ten views, four by four
    steps = list(loader.epoch(0))
    assert [len(batch) for step in steps for batch in step] == [4, 4, 4]
    names = [name for step in steps for batch in step for name in batch.names]
    assert len(set(names)) == 10
    assert names[10:] == names[:2]


def test_workers_change_nothing(choice: Choice) -> None:
    alone, helped = _loader(choice), _loader(choice, workers=2)
    for epoch in (0, 1):  # the second one by workers that waited
        for expected, found in zip(alone.epoch(epoch), helped.epoch(epoch), strict=True):
            assert _same(_seen(expected[0]), _seen(found[0]))
    helped.close()


def test_processes_and_passes_change_nothing(choice: Choice) -> None:
    whole = _step(_loader(choice), 2, 1)
    assert len(whole) == 4
    passes = next(_loader(choice, lane=Lane(accumulate=2)).epoch(2, start=1))
    assert [len(batch) for batch in passes] == [2, 2]
    assert _same(whole, [one for batch in passes for one in _seen(batch)])
    ranks = [_step(_loader(choice, lane=Lane(rank=rank, ranks=2)), 2, 1) for rank in (0, 1)]
    assert _same(whole, ranks[0] + ranks[1])
    both = [_step(_loader(choice, lane=Lane(rank, 2, 2)), 2, 1) for rank in (0, 1)]
    assert _same(whole, both[0] + both[1])


def test_an_epoch_goes_on_where_it_was_left(choice: Choice) -> None:
    whole = [_seen(step[0]) for step in _loader(choice).epoch(5)]
    rest = [_seen(step[0]) for step in _loader(choice).epoch(5, start=1)]
    assert len(rest) == 2
    assert all(_same(a, b) for a, b in zip(whole[1:], rest, strict=True))


def test_an_epoch_that_was_left_early_does_not_disturb_the_next(choice: Choice) -> None:
    loader = _loader(choice, workers=2)
    next(loader.epoch(0))
    assert _same(_step(loader, 1, 0), _step(_loader(choice), 1, 0))
    loader.close()


def test_epochs_and_seeds_draw_anew(choice: Choice) -> None:
    first, later = dict(_step(_loader(choice), 0, 0)), dict(_step(_loader(choice), 3, 0))
    other = Loader(choice, Recipe(size=256, batch=4, seed=12), backgrounds=Backgrounds(), workers=0)
    for compared in (later, dict(_step(other, 0, 0))):
        for name in first.keys() & compared.keys():
            assert not torch.equal(first[name], compared[name])


def test_backgrounds_and_jitter_come_as_often_and_as_strong_as_the_recipe_says(choice: Choice) -> None:
    batches = [step[0] for epoch in range(12) for step in _loader(choice).epoch(epoch)]
    has = torch.cat([batch.has_background_B for batch in batches]).float()
    assert 0.8 < has.mean() < 0.97  # of 144, nine tenths
    factors = torch.cat([batch.jitter_B3 for batch in batches])
    assert factors.min() >= 0.7
    assert factors.max() <= 1.0
    assert ((factors.mean(0) - 0.85).abs() < 0.03).all()


def test_plain_samples_come_once_each_and_share_by_share(choice: Choice) -> None:
    plain = Loader(choice, RECIPE, backgrounds=None, workers=0)
    names = [name for batch in plain.all() for name in batch.names]
    assert names == [choice.view(index).name for index in range(10)]
    assert all(batch.background_Bhw3 is None for batch in plain.all())
    parts = [
        [
            name
            for batch in Loader(choice, RECIPE, backgrounds=None, workers=workers, lane=Lane(rank, 2)).all()
            for name in batch.names
        ]
        for rank, workers in ((0, 0), (1, 2))
    ]
    assert sorted(parts[0] + parts[1]) == sorted(names)
    assert [len(part) for part in parts] == [5, 5]


def test_what_does_not_divide_or_is_empty_is_refused(data: Path, choice: Choice) -> None:
    with pytest.raises(
        ConfigError, match="batch is 4; it must be a multiple of 6, which is 2 processes x 3"
    ):
        _loader(choice, lane=Lane(ranks=2, accumulate=3))
    with pytest.raises(ConfigError, match="spheres has no views for val; it has 10 for train"):
        _loader(choose(SPHERES, data, "val", (), 256))


def test_the_digest_is_of_views_and_backgrounds(data: Path, choice: Choice) -> None:
    plain = Loader(choice, RECIPE, backgrounds=None, workers=0)
    fewer = choose(SPHERES, data, "train", (0,), 256)
    assert len({_loader(choice).digest, plain.digest, _loader(fewer).digest}) == 3
    assert _loader(choice).digest == _loader(choice, workers=2, lane=Lane(1, 2)).digest


def test_a_core_is_left_to_training_where_there_are_several() -> None:
    assert 1 <= usual_workers() <= max(len(os.sched_getaffinity(0)) - 1, 1)
    assert usual_workers(10_000) == 1


@pytest.fixture
def many(data: Path, tmp_path: Path) -> Choice:
    """A hundred and fifty views, which have files of their own and all look alike."""
    table = open_manifest(data / "manifests/spheres").views().slice(0, 1)
    (row,) = rows_of(ViewRow, table)
    rows = []
    for number in range(150):
        named: dict[str, Any] = {name: f"{number:03d}/{name}.png" for name in FILES}
        for name, place in named.items():
            (tmp_path / place).parent.mkdir(exist_ok=True)
            shutil.copy(data / getattr(row, name), tmp_path / place)
        rows.append(replace(row, view=f"spheres_0_y_{number}_x", **named))
    write_table(tmp_path / "manifests/spheres/views.parquet", VIEWS, FACTS, [table_of(ViewRow, rows)])
    return choose(SPHERES, tmp_path, "train", (), 256)


def test_a_view_that_cannot_be_read_is_told_and_another_takes_its_place(many: Choice) -> None:
    bad = many.view(70)
    bad.color.write_bytes(b"no picture")
    loaders = [_loader(many), _loader(many, workers=2)]
    for loader in loaders:
        batches = [step[0] for step in loader.epoch(0)]
        assert all(len(batch) == 4 for batch in batches)
        assert all(bad.name not in batch.names for batch in batches)
        (lost,) = loader.lost
        assert (lost.name, lost.view) == (bad.name, 70)
        assert str(bad.color) in lost.reason
        assert [one for batch in batches for one in batch.lost] == [lost]
    first, second = (_step(loader, 1, 0) for loader in loaders)
    assert _same(first, second)
    loaders[1].close()


def test_views_that_are_lost_are_left_out_of_the_plain_ones(many: Choice) -> None:
    many.view(3).depths[0].unlink()
    plain = Loader(many, RECIPE, backgrounds=None, workers=0)
    assert sum(len(batch) for batch in plain.all()) == 149
    assert [lost.view for lost in plain.lost] == [3]


def test_more_than_a_hundredth_that_is_lost_stops_and_names_the_first(many: Choice) -> None:
    for index in (5, 80):  # of 150
        many.view(index).depths[1].write_bytes(b"")
    plain = Loader(many, RECIPE, backgrounds=None, workers=0)
    said = (
        rf"2 of 150 views cannot be read, over 1%; .* the first is {many.view(5).name}: .*depth_back\.png"
    )
    with pytest.raises(ManifestError, match=said):
        list(plain.all())


def test_when_all_is_lost_it_stops(tmp_path: Path) -> None:
    write_people(tmp_path, people=1)
    choice = choose(SPHERES, tmp_path, "train", (), 256)
    choice.view(0).color.unlink()
    with pytest.raises(ManifestError, match="1 of 1 views cannot be read"):
        next(_loader(choice).epoch(0))


def test_a_background_that_cannot_be_read_is_told_and_stops_nothing(choice: Choice, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    loader = Loader(choice, RECIPE, backgrounds=Backgrounds((tmp_path,)), workers=0)
    assert all(len(step[0]) == 4 for step in loader.epoch(0))
    (lost,) = loader.lost
    assert lost.view is None
    assert "broken.jpg" in lost.reason


def test_a_worker_that_is_killed_ends_in_an_error_that_says_so(choice: Choice) -> None:
    loader = _loader(choice, workers=1)
    heard = signal.getsignal(signal.SIGCHLD)
    steps = loader.epoch(0)
    next(steps)
    assert signal.getsignal(signal.SIGCHLD) is heard
    (worker,) = loader._epochs._workers  # type: ignore[union-attr]
    os.kill(worker.pid or 0, signal.SIGKILL)
    with pytest.raises(TrainingError, match=r"was ended \(signal 9\), most likely for want of memory"):
        for number in range(1, 50):
            list(steps)
            steps = loader.epoch(number)
    loader.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mistake_of_the_program_is_not_taken_for_a_worker_that_died(
    choice: Choice, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("recon.data.worker.read", fail)
    loader = _loader(choice, workers)
    with pytest.raises(RuntimeError, match="a mistake"):
        next(loader.epoch(0))
    loader.close()


def test_no_shared_memory_is_told_as_such(choice: Choice) -> None:
    loader = _loader(choice, workers=1)
    steps = loader.epoch(0)
    next(steps)
    (worker,) = loader._epochs._workers  # type: ignore[union-attr]
    os.kill(worker.pid or 0, signal.SIGBUS)
    with pytest.raises(TrainingError, match=r"no shared memory left; .*--shm-size=8g"):
        for number in range(1, 50):
            list(steps)
            steps = loader.epoch(number)
    loader.close()


SCRIPT = """
import multiprocessing, sys, torch
from pathlib import Path
sys.path[:0] = [{root!r}]
if __name__ == "__main__":
    multiprocessing.set_start_method({method!r})
    from recon.data.backgrounds import Backgrounds
    from recon.data.choice import choose
    from recon.data.loading import Loader
    from recon.recipe import Recipe, Source
    choice = choose((Source("spheres"),), Path({data!r}), "train", (), 256)
    loader = Loader(choice, Recipe(size=256, batch=4, seed=11), backgrounds=Backgrounds(), workers=2)
    try:
        for epoch in range({epochs}):
            for step in loader.epoch(epoch):
                print(epoch, *step[0].names, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def _started(folder: Path, data: Path, method: str, epochs: int) -> subprocess.Popen[str]:
    script = folder / "train_here.py"
    root = str(Path(__file__).parents[1])
    script.write_text(SCRIPT.format(root=root, method=method, data=str(data), epochs=epochs))
    return subprocess.Popen(
        [sys.executable, script],
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_ctrl_c_ends_workers_without_a_word_of_theirs(data: Path, tmp_path: Path) -> None:
    process = _started(tmp_path, data, "fork", 100_000)
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "interrupted" in out
    assert err == ""
    assert process.returncode == 0
    with pytest.raises(ProcessLookupError):  # nobody of the group is left
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.1)


def test_workers_that_begin_afresh_load_the_same(data: Path, tmp_path: Path, choice: Choice) -> None:
    process = _started(tmp_path, data, "spawn", 1)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    expected = [" ".join(("0", *step[0].names)) for step in _loader(choice).epoch(0)]
    assert out.splitlines() == expected
