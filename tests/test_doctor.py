"""The doctor: what it finds on this machine, and what it says of machines it is told about."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cli
from pipeline import doctor
from pipeline.errors import RenderError
from pipeline.formats.body_files import STAND_IN, VARIABLE
from pipeline.render import egl, probe, remedies
from pipeline.render.context import create_context
from pipeline.render.probe import GLDevice

CARD = GLDevice(0, "NVIDIA Corporation", "NVIDIA H200", "4.6.0", 32768, 178_956_970)
SOFTWARE = GLDevice(1, "Mesa", "llvmpipe (LLVM 15)", "4.5", 16384, 11_184_810, is_software=True)
BROKEN = GLDevice(2, problem="the driver crashed (SIGSEGV)")


def _pretend(monkeypatch: pytest.MonkeyPatch, *devices: GLDevice) -> None:
    monkeypatch.setattr(doctor, "probe", lambda: list(devices))


def test_every_device_is_probed_and_says_what_its_own_context_says() -> None:
    devices = probe.probe()
    assert [device.index for device in devices] == list(range(egl.device_count()))
    working = [device for device in devices if not device.problem]
    assert working, "this project's tests need one EGL device that works"
    context = create_context(working[0].index)
    assert working[0].renderer == context.info["GL_RENDERER"]
    assert working[0].version == context.info["GL_VERSION"]
    assert working[0].largest_target >= doctor.FULL_SIZE
    context.release()


def test_a_device_that_is_not_there_is_a_problem_not_a_crash() -> None:
    assert not egl.can_open(-1)
    assert not egl.can_open(egl.device_count())
    assert probe.probe_one(63) == GLDevice(63, problem="its driver does not start")


def test_without_the_libraries_there_are_no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egl, "LIBEGL", "libEGL-of-nobody.so.1")
    assert egl.device_count() == 0
    assert not egl.can_open(0)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os.kill(os.getpid(), 11)", "the driver crashed (SIGSEGV)"),
        ("import sys; print('noise', file=sys.stderr); sys.exit('no card')", "no card"),
        ("import sys; sys.exit(7)", "exit code 7"),
        ("import time; time.sleep(60)", "the driver gave no answer in 0.5 s"),
    ],
)
def test_a_driver_that_ends_badly_is_told_in_words(code: str, told: str) -> None:
    with pytest.raises(RenderError) as caught:
        probe.ask((sys.executable, "-c", code), seconds=0.5 if "sleep" in code else 30)
    assert str(caught.value) == told


def test_a_crashing_device_leaves_the_others_usable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _pretend(monkeypatch, SOFTWARE, BROKEN)
    machine = doctor.examine(tmp_path)
    assert machine.can_render
    text = "\n".join(doctor.lines(machine))
    assert "EGL 2       does not work: the driver crashed (SIGSEGV)" in text
    assert "EGL 1       llvmpipe (LLVM 15), software" in text


def test_hardware_is_called_hardware_with_its_index_and_largest_target(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _pretend(monkeypatch, CARD)
    text = "\n".join(doctor.lines(doctor.examine(tmp_path)))
    assert "EGL 0       NVIDIA H200, hardware" in text
    assert "NVIDIA Corporation, GL 4.6.0\n" in text
    assert "targets up to 32768 x 32768, meshes up to 179 million faces" in text


@pytest.mark.parametrize("devices", [(), (BROKEN,)])
def test_without_a_working_device_the_fix_is_named_and_the_exit_code_is_1(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    devices: tuple[GLDevice, ...],
) -> None:
    _pretend(monkeypatch, *devices)
    assert cli.main(["doctor", "--data", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "MISSING: an EGL device that works" in told
    assert f"    {remedies.gl_fix()}\n" in told
    assert told.rstrip().endswith("This machine cannot render.")


def test_egl_that_crashes_while_counting_is_fatal_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def crash() -> list[GLDevice]:
        raise RenderError("the driver crashed (SIGABRT)")

    monkeypatch.setattr(doctor, "probe", crash)
    machine = doctor.examine(tmp_path)
    assert not machine.can_render
    assert "SIGABRT" in machine.problems[0].what


def test_a_small_device_still_renders_and_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _pretend(monkeypatch, GLDevice(0, "v", "r", "4.3", 1024))
    machine = doctor.examine(tmp_path)
    assert machine.can_render
    assert any("--size 1024" in problem.fix for problem in machine.problems)


def test_json_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _pretend(monkeypatch, CARD, BROKEN)
    assert cli.main(["doctor", "--json", "--data", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["can_render"] is True
    assert [d["index"] for d in told["devices"]] == [0, 2]
    assert told["cpus"] == len(os.sched_getaffinity(0))
    assert 0 < told["memory_free"] <= told["memory_total"]
    assert told["disk_free"] > 0


def test_the_body_model_is_found_where_the_page_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _pretend(monkeypatch, CARD)
    monkeypatch.delenv(VARIABLE, raising=False)
    before = doctor.examine(tmp_path)
    assert before.body_models == ()
    (fix,) = (p.fix for p in before.problems if "body-model" in p.fix)
    assert fix.endswith(f"scan2k synth body-model {tmp_path}/body_models")
    assert shutil.which(fix.split()[0])

    own = tmp_path / "body_models" / "smplx" / "SMPLX_NEUTRAL.npz"
    own.parent.mkdir(parents=True)
    own.touch()
    assert doctor.examine(tmp_path).body_models == (str(own),)

    elsewhere = tmp_path / "elsewhere" / "SMPLX_MALE.npz"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    assert doctor.examine(tmp_path).body_models == (str(elsewhere),)


def test_a_stand_in_is_called_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _pretend(monkeypatch, CARD)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for gender, name in (("NEUTRAL", STAND_IN), ("MALE", "SMPL-X")):
        np.savez(tmp_path / f"SMPLX_{gender}.npz", model_name=np.array(name))
    machine = doctor.examine(tmp_path)
    own, licensed = machine.body_models
    assert machine.stand_ins == (own,)
    told = doctor.lines(machine)
    assert f"body model  {own} (scan2k's stand-in, not SMPL-X)" in told
    assert f"            {licensed}" in told


@pytest.mark.parametrize(
    ("version", "told"),
    [("2.13.0+cpu", "no: this torch is built for CPUs"), ("2.13.0", "no: there is no NVIDIA driver")],
)
def test_cuda_is_answered_without_loading_torch_where_it_is_plain(
    monkeypatch: pytest.MonkeyPatch, version: str, told: str
) -> None:
    def no_library(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    assert doctor._cuda(version) == told


def test_without_torch_the_command_that_brings_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def not_there(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    _pretend(monkeypatch, CARD)
    monkeypatch.setattr(importlib.metadata, "version", not_there)
    machine = doctor.examine(tmp_path)
    assert machine.torch == ""
    assert any(problem.fix.endswith("-m pip install 'scan2k[body,train]'") for problem in machine.problems)
    assert machine.can_render


def test_what_training_lacks_beside_torch_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = importlib.util.find_spec
    _pretend(monkeypatch, CARD)
    assert [one for one in doctor.examine(tmp_path).problems if "trains" in one.what] == []
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "matplotlib" else there(name))
    (problem,) = (one for one in doctor.examine(tmp_path).problems if "trains" in one.what)
    assert problem.what == "matplotlib: without, nothing trains"
    assert problem.fix.endswith("-m pip install 'scan2k[train]'")
    assert not problem.is_fatal


def test_a_data_folder_that_is_not_there_yet_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _pretend(monkeypatch, CARD)
    assert doctor.examine(tmp_path / "not" / "yet").disk_free > 0
    assert not (tmp_path / "not").exists()


def test_the_doctor_loads_neither_torch_nor_gl() -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline import doctor; doctor.examine(Path('.'));"
        "sys.exit(' '.join({'torch', 'moderngl'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
