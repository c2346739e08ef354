"""The command line: exit codes, one-line complaints, and how little it loads."""

from __future__ import annotations

import dataclasses
import errno
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from building import nothing

import cli
from pipeline import build
from pipeline.commands.progress import Report
from pipeline.conduct.standing import Planned, Summary, Watch
from pipeline.config import Conduct, RenderRequest
from pipeline.errors import ConfigError, RenderError
from pipeline.formats.body_files import find_models
from pipeline.formats.ply import read_ply
from pipeline.synth import layouts
from pipeline.synth.defects import CHOICES, Defects
from pipeline.synth.folders import LAYOUTS
from pipeline.synth.layouts import SynthRequest, SynthSummary

HEAVY = {"torch", "moderngl", "glcontext", "dask", "numpy", "scipy", "PIL", "rich"}


def _complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code of a command line that fails, and the one line it says."""
    code = cli.main(arguments)
    said = capsys.readouterr().err
    assert said.startswith("scan2k: ")
    assert said.count("\n") == 1
    return code, said.strip()


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((sys.executable, *arguments), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("statement", ["import pipeline", "import cli; cli.main(['--help'])"])
def test_nothing_heavy_is_loaded(statement: str) -> None:
    done = _run("-c", f"import sys; {statement}; print('loaded:', *sys.modules)")
    assert done.returncode == 0
    loaded = done.stdout.split("loaded:")[1].split()
    assert HEAVY & set(loaded) == set()


def test_help_answers_in_half_a_second() -> None:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        assert _run("-m", "cli", "--help").returncode == 0
        times.append(time.perf_counter() - started)
    assert min(times) < 0.5


def test_no_arguments_is_a_call_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "Start here" in capsys.readouterr().out


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("scan2k 0.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("rendr", "demo"),
            "there is no command 'rendr' (did you mean render?); choose from: checkpoint, doctor, export",
        ),
        (("render", "demo", "--yaw", "0"), "scan2k render has no option '--yaw' (did you mean --yaws?)"),
        (("render", "demo", "--yaws", "0,east"), "'0,east' is not a list of degrees such as -30,0,30"),
        (("render", "demo", "--size", "big"), "'big' is not a valid integer"),
        (("render", "demo", "--size", "0"), "size is 0; it must be from"),
        (("render", "dmeo"), "there is no dataset 'dmeo'; choose demo, 2K2K"),
        (("render",), "Missing argument 'DATASET'"),
        (("synth",), "Missing argument 'OUT'"),
        (("synth", "body-model"), "Missing argument 'OUT'"),
        (("synth", "OUT", "--layuot", "2k2k"), "has no option '--layuot' (did you mean --layout?)"),
        (
            ("synth", "OUT", "--layout", "2k"),
            "no layout '2k'; choose from 2k2k, thuman2, renderpeople, folder",
        ),
        (("synth", "OUT", "--defects", "hole"), "no defect 'hole'; choose from holes, fragments, floor"),
        (("synth", "OUT", "--people", "0"), "people is 0; it must be from 1"),
        (("synth", "OUT", "--vertices", "3"), "vertices is 3; it must be from"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, line = _complaint(capsys, *arguments)
    assert code == 2
    assert said in line


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("wrong"), 2, "scan2k: wrong"),
        (RenderError("no GL\ncontext"), 1, "scan2k: no GL context"),
        (KeyboardInterrupt(), 130, "scan2k: interrupted"),
        (
            OSError(errno.ENOSPC, "No space left on device", "a.png"),
            1,
            "scan2k: a.png: No space left on device",
        ),
    ],
)
def test_an_end_that_is_nobodys_bug_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(request: RenderRequest, watch: object, conduct: object) -> Summary:
        raise error

    monkeypatch.setattr(build, "render", fail)
    assert cli.main(["render", "demo"]) == code
    assert capsys.readouterr().err.split("\n") in (
        [said, ""],
        ["", said, ""],
    )  # click ends the line of the ^C


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.EBADF, "a bug")])
def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(request: RenderRequest, watch: object, conduct: object) -> Summary:
        raise error

    monkeypatch.setattr(build, "render", fail)
    with pytest.raises(type(error), match="a bug"):
        cli.main(["render", "demo"])


def test_options_become_the_request_and_the_summary_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = []

    def pretend(request: RenderRequest, watch: Watch, conduct: Conduct) -> Summary:
        asked.append((request, conduct))
        watch.say("drawing")
        done = nothing("demo", scans_made=3, views_made=6, images=30)
        places = {"list": tmp_path / "list" / "demo_all.txt"}
        return replace(done, rejects={("read", "MeshError"): 1}, seconds=12.3, places=places)

    monkeypatch.setattr(build, "render", pretend)
    options = (
        "--yaws -30,0.5 --pitches -10,10 --size 64 --seed 5 --people 2 --vertices 9000 "
        "--passes depth,normal "
        "--projections orthographic --light sh --light-file rooms.npy --format jxl --depth-format exr "
        "--gl-device 1 --subjects 00001,0000* --workers 3 --patience 7 --force --retry-rejects"
    ).split()
    assert cli.main(["render", "demo", "--data", str(tmp_path), *options]) == 3, "one was refused"
    expected = RenderRequest(
        dataset="demo",
        data=tmp_path,
        yaws=(-30.0, 0.5),
        pitches=(-10.0, 10.0),
        size=64,
        seed=5,
        demo_people=2,
        demo_vertices=9000,
        passes=("depth", "normal"),
        projections=("orthographic",),
        light="sh",
        light_file=Path("rooms.npy"),
        image_format="jxl",
        depth_format="exr",
        gl_device=1,
    )
    conduct = Conduct(("00001", "0000*"), 3, patience=7, force=True, retry_rejects=True)
    assert asked == [(expected, conduct)]
    told = capsys.readouterr()
    assert told.err == "drawing\n"
    words = [line.split() for line in told.out.splitlines()]
    assert ["made", "3", "6", "30"] in words
    assert ["read:", "MeshError", "1"] in words
    assert ["list", str(tmp_path / "list" / "demo_all.txt")] in words


def test_a_dry_run_says_what_would_be_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pretend(request: RenderRequest, watch: Watch, conduct: Conduct) -> Planned:
        return Planned("2K2K", {"new scan": (1, 7, 35)}, 7, 35, [("00003", ["new scan"])], 2, 14, 0)

    monkeypatch.setattr(build, "plan", pretend)
    assert cli.main(["render", "2K2K", "--dry-run"]) == 0
    words = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["new", "scan", "1", "7", "35"] in words
    assert ["00003", "new", "scan"] in words


def test_a_build_that_was_stopped_says_so_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def pretend(request: RenderRequest, watch: object, conduct: object) -> Summary:
        return replace(nothing(), stopped=True)

    monkeypatch.setattr(build, "render", pretend)
    assert cli.main(["render", "2K2K"]) == 130


def test_every_field_of_the_request_has_its_option() -> None:
    options = {param.name for param in cli.scan2k.commands["render"].params}
    names = [field.name for request in (RenderRequest, Conduct) for field in dataclasses.fields(request)]
    assert options == {*names, "dry_run"}
    assert len(options) == len(names) + 1


def test_without_options_the_request_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def pretend(request: RenderRequest, watch: object, conduct: object) -> Summary:
        asked.append(request)
        return nothing()

    monkeypatch.setattr(build, "render", pretend)
    assert cli.main(["render", "2K2K"]) == 0
    assert asked == [RenderRequest("2K2K")]


def test_a_data_folder_that_cannot_be_written_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, line = _complaint(capsys, "render", "demo", "--data", str(tmp_path / "file"))
    assert code == 2
    assert str(tmp_path / "file") in line


def _pretend_people(monkeypatch: pytest.MonkeyPatch) -> list[SynthRequest]:
    asked = []

    def pretend(request: SynthRequest, report: Report) -> SynthSummary:
        asked.append(request)
        return SynthSummary(Path("somewhere"), made=3, kept=2, seconds=7.0)

    monkeypatch.setattr(layouts, "write_people", pretend)
    return asked


@pytest.mark.parametrize("name", [(), ("people",)], ids=["unnamed", "named"])
def test_people_are_asked_for_with_or_without_the_commands_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: tuple[str, ...]
) -> None:
    asked = _pretend_people(monkeypatch)
    options = "--people 5 --seed 3 --layout thuman2 --vertices 9000 --defects floor,yaw".split()
    assert cli.main(["synth", *name, *options, "out"]) == 0
    assert cli.main(["synth", *name, "out", *options]) == 0
    expected = SynthRequest(Path("out"), 5, 3, "thuman2", 9000, Defects(floor=True, yaw=True))
    assert asked == [expected, expected]
    assert "people made: 3, kept: 2, in 7 s\nscans: somewhere\n" in capsys.readouterr().out


def test_without_options_the_people_are_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _pretend_people(monkeypatch)
    assert cli.main(["synth", "out"]) == 0
    assert asked == [SynthRequest(Path("out"))]


def test_help_names_every_layout_and_defect(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["synth", "--help"]) == 0
    told = capsys.readouterr().out
    assert [name for name in (*LAYOUTS, *CHOICES) if name not in told] == []
    assert "body-model OUT" in told


def test_the_body_model_lands_where_the_doctor_looks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["synth", "body-model", str(tmp_path / "body_models")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [str(path) for path in find_models(tmp_path / "body_models")] == told[:3]
    assert all(Path(line).is_file() for line in told)


def test_a_people_folder_that_cannot_be_written_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, line = _complaint(capsys, "synth", str(tmp_path / "file"))
    assert code == 2
    assert str(tmp_path / "file") in line
    code, line = _complaint(capsys, "synth", "body-model", str(tmp_path / "file"))
    assert code == 2
    assert str(tmp_path / "file") in line


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C reaches child processes even where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_while_making_people_leaves_only_whole_files(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "cli", "synth", str(tmp_path), "--vertices", "20000")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        said = iter(running.stderr.readline, "")
        assert any(line.startswith("00001 (1 of 4)") for line in said)
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()
    assert running.returncode == 130
    assert rest.splitlines()[-1] == "scan2k: interrupted"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix == ".tmp"] == []
    assert {path.name for path in files if path.suffix == ".ply"} <= {"00001.ply", "00002.ply"}
    for path in files:
        if path.suffix == ".ply":
            assert len(read_ply(path).vertices) > 19_000
