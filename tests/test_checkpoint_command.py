"""`scan2k checkpoint` says what is in a file, and writes weights that published code finds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from oracle import published_shapes
from snapshots import saved

import cli
from recon.checkpoint import published
from recon.network import Network, Shape
from recon.recipe import Recipe


def network(refines: bool = True) -> Network:
    torch.manual_seed(1)
    return Network(Shape(256, 4), refines=refines)


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    found = capsys.readouterr()
    return found.out, found.err


def test_a_training_is_told_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"normal_angle_deg/low/front": 12.345678, "mask_iou/low": float("nan")}
    path = saved(tmp_path / "a.pt", best=0.5, scores=scores, code="0.1.0+abc", torch_version="2.13.0")
    assert cli.main(["checkpoint", str(path)]) == 0
    out, err = said(capsys)
    assert err == ""
    assert out.splitlines() == [
        f"{path}: a training, {path.stat().st_size / 1e6:.1f} MB",
        "  phase        1, after 3 epochs and 7 steps",
        "  recipe       profile default, size 256, width 16, batch 4, rate 0.001, restart_epochs 5.0, "
        "warm_up_epochs 0.01, decay 0.5, clip 1.0, precision fp32, jitter 0.7 to 1.0, backgrounds 0.9, "
        "softened on, seed 0",
        "  data         1,400 views of 2K2K, 28 views of demo; digest ab12",
        "  best score   0.5",
        "  last scores",
        "    normal_angle_deg/low/front  12.35",
        "    mask_iou/low                nan",
        "  weights      1 tensors, 6 numbers",
        "  written by   scan2k 0.1.0+abc, torch 2.13.0",
    ]


def test_a_training_without_scores_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["checkpoint", str(saved(tmp_path / "a.pt"))]) == 0
    assert "  best score   none yet\n  last scores  none yet\n" in said(capsys)[0]


@pytest.mark.parametrize(("refines", "phase"), [(True, "2"), (False, "1, or none: there is no refiner")])
def test_published_weights_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], refines: bool, phase: str
) -> None:
    path, weights = tmp_path / "a.pt", network(refines).state_dict()
    torch.save(published(network(refines)), path)
    assert cli.main(["checkpoint", str(path)]) == 0
    assert said(capsys)[0].splitlines() == [
        f"{path}: published weights, {path.stat().st_size / 1e6:.1f} MB",
        f"  phase        {phase}",
        "  width        4",
        f"  weights      {len(weights):,} tensors, {sum(t.numel() for t in weights.values()):,} numbers",
    ]


def test_weights_are_written_as_a_network_itself_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.pt", tmp_path / "new" / "weights.pt"
    saved(path, state={"network": network().state_dict(), "more": torch.ones(100_000)}, phase=2)
    assert cli.main(["checkpoint", str(path), "--to", "published", "--out", str(out)]) == 0
    told, warned = said(capsys)
    assert told == f"{out}: the weights of {path}, in the published form\n"
    assert warned.startswith(
        "warning: these normals end in a sigmoid, and published code ends them in a ReLU"
    )
    content, expected = torch.load(out, weights_only=True), published(network())
    assert list(content) == ["model_state_dict"]
    assert list(content["model_state_dict"]) == list(expected["model_state_dict"])
    assert set(content["model_state_dict"]) == set(published_shapes())
    for name, tensor in expected["model_state_dict"].items():
        assert content["model_state_dict"][name].equal(tensor)
    torch.save(expected, tmp_path / "alone.pt")
    assert out.stat().st_size < (tmp_path / "alone.pt").stat().st_size + 100_000  # nothing else came along


def test_the_papers_own_profile_needs_no_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.pt", tmp_path / "weights.pt"
    saved(path, state={"network": network().state_dict()}, recipe=Recipe(profile="paper"))
    assert cli.main(["checkpoint", str(path), "--to", "published", "--out", str(out)]) == 0
    assert said(capsys)[1] == ""


@pytest.mark.parametrize("options", [["--to", "published"], ["--out", "weights.pt"]])
def test_half_a_request_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert cli.main(["checkpoint", str(saved(tmp_path / "a.pt")), *options]) == 2
    assert (
        said(capsys)[1] == "scan2k: --to published and --out FILE go together: what to write, and where\n"
    )


def test_another_form_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["checkpoint", str(tmp_path), "--to", "onnx", "--out", "x"]) == 2
    assert "'published'" in said(capsys)[1]


def test_a_file_that_is_there_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "a.pt", state={"network": network().state_dict()})
    before = path.read_bytes()
    assert cli.main(["checkpoint", str(path), "--to", "published", "--out", str(path)]) == 2
    assert said(capsys)[1] == f"scan2k: {path} is there already; remove it, or give another --out\n"
    assert path.read_bytes() == before


def test_published_weights_are_not_written_once_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.pt", tmp_path / "b.pt"
    torch.save(published(network()), path)
    assert cli.main(["checkpoint", str(path), "--to", "published", "--out", str(out)]) == 1
    assert said(capsys)[1] == f"scan2k: {path} holds published weights already; copy it\n"
    assert not out.exists()


@pytest.mark.parametrize("options", [[], ["--to", "published", "--out"]])
def test_a_file_that_is_no_checkpoint_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    out = [str(tmp_path / "out.pt")] if options else []
    for name, content in (("none", None), ("empty", b""), ("text", b"no weights"), ("cut", b"PK\x03\x04")):
        path = tmp_path / f"{name}.pt"
        if content is not None:
            path.write_bytes(content)
        assert cli.main(["checkpoint", str(path), *options, *out]) == 1
        told, fault = said(capsys)
        assert told == "" and fault.count("\n") == 1 and str(path) in fault
        assert not (tmp_path / "out.pt").exists()
