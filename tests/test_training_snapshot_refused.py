"""A file that is no whole snapshot of ours is refused in one line, before it can do anything."""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from snapshots import State, saved
from torch import nn

from pipeline.errors import CheckpointError
from recon.training.snapshot import Snapshot, load, look


class Wicked:
    """Something that would write a file if it were ever loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def nested(depth: int) -> list[Any]:
    """Short to write, endless to read."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value] * 20
    return value


def _within(content: State, names: tuple[str | int, ...]) -> dict[str | int, Any]:
    for name in names[:-1]:
        content = content[str(name)]
    return content  # type: ignore[return-value]


def _set(*names: str | int, to: object) -> Callable[[State], None]:
    def change(content: State) -> None:
        _within(content, names)[names[-1]] = to

    return change


def _drop(*names: str) -> Callable[[State], None]:
    def change(content: State) -> None:
        del _within(content, names)[names[-1]]

    return change


NO_NUMBER = "not a number from 0"
SPOILT: dict[str, tuple[Callable[[State], None], str]] = {
    "of a later form": (_set("scan2k", to=2), "is of form 2"),
    "of a form that is a tensor": (_set("scan2k", to=torch.ones(3)), "is of form a Tensor"),
    "a part is missing": (_drop("signs"), "it lacks signs"),
    "a part is unknown": (_set("more", to=1), "it has also more"),
    "a part is named by a number": (_set(7, to=1), "names that are no words"),
    "no recipe": (_set("recipe", to=[1]), "recipe is no table"),
    "a recipe without rate": (_drop("recipe", "rate"), "recipe: it lacks rate"),
    "a recipe of the future": (_set("recipe", "more", to=1), "recipe: it has also more"),
    "a rate that is none": (_set("recipe", "rate", to=-1.0), "recipe: rate is -1"),
    "a rate in words": (_set("recipe", "rate", to="1"), "recipe: rate is a str"),
    "a size in parts": (_set("recipe", "size", to=256.5), "recipe: size is 256.5"),
    "a jitter of one": (_set("recipe", "jitter", to=(1.0,)), "recipe: jitter is a tuple"),
    "edges by number": (_set("recipe", "softened", to=1), "recipe: softened is 1"),
    "another phase": (_set("phase", to=3), "phase is 3, and not a number from 1 to 2"),
    "a step before the first": (_set("at", "step", to=-1), f"at: step is -1, and {NO_NUMBER}"),
    "an epoch that is true": (_set("at", "epoch", to=True), f"at: epoch is a bool, and {NO_NUMBER}"),
    "views that are none": (_set("data", "views", "demo", to="1"), "data: views: demo is a str"),
    "views by number": (_set("data", "views", to={1: 1}), "data: views is no table"),
    "a digest that is none": (_set("data", "digest", to=5), "data: digest is 5, and no text"),
    "a best that is a table": (_set("best", to={}), "best is a dict, and no number"),
    "scores in words": (_set("scores", to={"a": "b"}), "scores: a is a str, and no number"),
    "no weights": (_drop("state", "network"), "state: it holds no weights"),
    "empty weights": (_set("state", "network", to={}), "state: it holds no weights"),
    "weights that are numbers": (_set("state", "network", to={"a": 1}), "state: it holds no weights"),
    "random numbers": (_set("random", "cpu", to=torch.ones(4)), "random: they are no states"),
    "random words": (_set("random", "cuda", to="1"), "random: they are no states"),
    "something strange": (_set("state", "more", to={1, 2}), "holds a set"),
    "a parameter": (_set("state", "more", to=nn.Parameter(torch.ones(1))), "holds a Parameter"),
    "a few that are many": (_set("state", "more", to=nested(8)), "holds over 100,000 values"),
    "too deep": (_set("state", "more", to=eval("[" * 30 + "]" * 30)), "tables in tables 12 deep"),
    "an escape": (_set("code", to="\x1b[2J"), "text that is not printable"),
    "a name that moves the cursor": (_set("data", "views", "a\nb", to=1), "text that is not printable"),
    "a huge number": (_set("at", "step", to=10**30), "a number of over 64 bits"),
    "a huge claim": (_set("state", "more", to=torch.ones(1).expand(2**40)), "1,099,511,627,776 values"),
    "many claims": (_set("state", "more", to=[torch.ones(9999)[:9000]] * 9), "holds tensors of"),
    "a sparse tensor": (_set("state", "more", to=torch.eye(3).to_sparse()), "that is not a plain one"),
    "a tensor of no device": (_set("state", "more", to=torch.ones(3, device="meta")), "not a plain one"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("fault", SPOILT)
@pytest.mark.parametrize("read", [load, look])
def test_a_file_that_is_not_as_it_should_be_is_refused_by_name(
    tmp_path: Path, fault: str, read: Callable[[Path], Snapshot]
) -> None:
    spoil, message = SPOILT[fault]
    path = saved(tmp_path / "a.pt")
    content = torch.load(path, weights_only=True)
    spoil(content)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"a\.pt ") as refused:
        read(path)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"scan2k": 1, "state": Wicked(tmp_path / "written")}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="it was not run"):
        load(tmp_path / "a.pt")
    assert not (tmp_path / "written").exists()


def test_weights_alone_are_no_training(tmp_path: Path) -> None:
    torch.save({"model_state_dict": {"a": torch.ones(1)}}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="--init-from"):
        load(tmp_path / "a.pt")


def test_a_file_that_is_not_there_is_said_to_be_none(tmp_path: Path) -> None:
    for path in (tmp_path / "a.pt", tmp_path):
        with pytest.raises(CheckpointError, match="is no file"):
            load(path)


def repacked(path: Path, kind: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", kind) as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part))
    return made.getvalue()


def test_an_archive_that_would_grow_is_refused_before_it_does(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", state={"network": {"w": torch.zeros(300_000)}})
    path.write_bytes(repacked(path, zipfile.ZIP_DEFLATED))
    with pytest.raises(CheckpointError, match="is compressed"):
        look(path)


def test_an_archive_whose_parts_overlap_is_refused_before_it_grows(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", state={"network": {"w": torch.zeros(30_000)}})
    with zipfile.ZipFile(path, "a") as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
        for number in range(1000):
            again = copy.copy(largest)
            again.filename = f"archive/data/{number + 10}"
            archive.filelist.append(again)
        archive.comment = b"written anew"
    with pytest.raises(CheckpointError, match=r"says that it holds more than its [\d,]+ bytes"):
        look(path)


def test_one_bit_that_is_wrong_is_found(tmp_path: Path) -> None:
    weights = torch.arange(1000, dtype=torch.float64)
    path = saved(tmp_path / "a.pt", state={"network": {"w": weights}})
    content = bytearray(path.read_bytes())
    content[content.index(weights.numpy().tobytes()) + 4321] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is damaged in .*data"):
        load(path)


def test_files_that_were_cut_or_garbled_are_refused_in_one_line(tmp_path: Path) -> None:
    whole = saved(tmp_path / "a.pt").read_bytes()
    draw = torch.Generator().manual_seed(3)
    for number in range(300):
        content = bytearray(whole)
        place = int(torch.randint(len(whole), (1,), generator=draw))
        if number % 3:
            content[place : place + 4] = bytes(torch.randint(256, (4,), generator=draw).tolist())
        else:
            del content[place:]
        if content == whole:
            continue
        (tmp_path / "b.pt").write_bytes(content)
        try:
            load(tmp_path / "b.pt")
        except CheckpointError as refused:
            assert "\n" not in str(refused) and len(str(refused)) < 1000
