"""Which EGL device draws, what is said where none does, and that contexts leave nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from building import nothing

import cli
from pipeline import build
from pipeline.conduct.standing import Summary
from pipeline.config import RenderRequest
from pipeline.errors import MeshError, RenderError
from pipeline.records import Mesh
from pipeline.render import devices, egl, probe, remedies
from pipeline.render.context import create_context
from pipeline.render.devices import pick_device
from pipeline.render.planes import Layer
from pipeline.render.probe import GLDevice
from pipeline.render.renderer import Renderer

CARDS = [GLDevice(index, renderer=f"card {index}") for index in (0, 3)]
SOFTWARE = GLDevice(1, renderer="llvmpipe", is_software=True)
BROKEN = GLDevice(2, problem="the driver crashed (SIGSEGV)")


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    """No test sees what another was answered, here or elsewhere."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    devices._everyone.cache_clear()
    devices._asked_for.cache_clear()


def _pretend(monkeypatch: pytest.MonkeyPatch, *found: GLDevice) -> None:
    monkeypatch.setattr(devices, "probe", lambda: list(found))
    monkeypatch.setattr(devices, "device_count_apart", lambda: len(found))


def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without cards, and outside containers."""
    monkeypatch.setattr(remedies, "_NVIDIA_CONTROL", tmp_path / "nvidiactl")
    monkeypatch.setattr(remedies, "_CARDS", tmp_path / "dri")
    monkeypatch.setattr(remedies, "_IN_A_CONTAINER", (tmp_path / "container",))
    monkeypatch.delenv("NVIDIA_DRIVER_CAPABILITIES", raising=False)


def test_workers_take_turns_at_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, CARDS[0], SOFTWARE, BROKEN, CARDS[1])
    picked = [pick_device(worker=worker) for worker in range(5)]
    assert [device.index for device in picked] == [0, 3, 0, 3, 0]
    assert {(device.is_software, device.warning) for device in picked} == {(False, "")}


def test_without_a_card_software_draws_and_one_worker_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _bare(monkeypatch, tmp_path)
    _pretend(monkeypatch, BROKEN, SOFTWARE)
    first, second = pick_device(), pick_device(worker=1)
    assert (first.index, first.is_software) == (second.index, second.is_software) == (1, True)
    assert first.warning == (
        "no graphics card answers: drawing in software, on EGL device 1, llvmpipe; "
        "EGL device 2 cannot draw: the driver crashed (SIGSEGV)"
    )
    assert second.warning == ""


def test_a_device_that_is_named_is_the_only_one_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(index: int) -> GLDevice:
        asked.append(index)
        return {1: SOFTWARE, 2: BROKEN}[index]

    _pretend(monkeypatch, *CARDS, BROKEN)
    monkeypatch.setattr(devices, "probe", lambda: pytest.fail("all were asked"))
    monkeypatch.setattr(devices, "probe_one", answer)
    assert [pick_device(1).name for _ in range(2)] == ["llvmpipe", "llvmpipe"]
    assert asked == [1], "once in a process"
    with pytest.raises(RenderError, match=r"EGL device 2 cannot draw: the driver crashed .*; try: "):
        pick_device(2)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_out_of_range_is_told_the_range(monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    _pretend(monkeypatch, *CARDS, SOFTWARE)
    with pytest.raises(RenderError, match=rf"no EGL device {index}: they count from 0 to 2"):
        pick_device(index)


@pytest.mark.parametrize("wish", [None, 0])
def test_a_missing_library_is_named_with_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wish: int | None
) -> None:
    _bare(monkeypatch, tmp_path)
    _pretend(monkeypatch)
    monkeypatch.setattr(egl, "LIBEGL", "libEGL-of-nobody.so.1")
    monkeypatch.setattr(shutil, "which", {"dnf": "/usr/bin/dnf"}.get)
    with pytest.raises(RenderError, match=r"libEGL-of-nobody\.so\.1 cannot be loaded; try: .*mesa-libEGL"):
        pick_device(wish)


@pytest.mark.parametrize("wish", [None, 0])
def test_a_machine_without_any_driver_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wish: int | None
) -> None:
    _bare(monkeypatch, tmp_path)
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", str(tmp_path / "none.json"))
    with pytest.raises(RenderError, match="EGL finds no device, which means no driver; try: ") as caught:
        pick_device(wish)
    assert str(caught.value).endswith(remedies.mesa_fix())


def _mesa_in_software() -> int:
    found = [device for device in probe.probe() if device.is_software and "Mesa" in device.version]
    if not found:
        pytest.skip("only Mesa can be told to be old, or without its driver")
    return found[0].index


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("MESA_GL_VERSION_OVERRIDE", "4.2", r"its OpenGL is 4\.2 and compute shaders need 4\.3"),
        ("MESA_EXTENSION_OVERRIDE", "-GL_ARB_compute_shader", r"its OpenGL is 4\.2 and compute shaders"),
        ("LIBGL_DRIVERS_PATH", "/of/nobody", r"its driver does not start|eglInitialize"),
    ],
)
def test_a_device_that_cannot_compute_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    index = _mesa_in_software()
    monkeypatch.setenv(variable, value)
    with pytest.raises(RenderError, match=rf"EGL device {index} cannot draw: ({told}).*; try: "):
        pick_device(index)


@pytest.mark.parametrize("display", [None, ":4711"])
def test_no_display_is_needed_and_none_is_asked(
    monkeypatch: pytest.MonkeyPatch, display: str | None
) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    index = pick_device().index
    assert probe.probe_one(index).problem == ""


def test_the_largest_mesh_is_what_the_renderer_takes() -> None:
    device = next(device for device in probe.probe() if not device.problem)
    faces = np.broadcast_to(np.zeros(3, dtype=np.int32), (device.most_faces + 1, 3))
    mesh = Mesh(np.zeros((3, 3), dtype=np.float32), faces, colors=np.zeros((3, 3), dtype=np.uint8))
    told = f"mesh has {len(faces):,} faces; this device takes {device.most_faces:,};"
    with (
        Renderer(16, {Layer("mask", "front")}, device.index) as renderer,
        pytest.raises(MeshError, match=told),
    ):
        next(renderer.shoot(mesh, ()), None)


def test_the_cards_own_fixes_come_where_there_is_a_card(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _bare(monkeypatch, tmp_path)
    assert (remedies.nvidia_fix(), remedies.permission_fix()) == ("", "")
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    assert remedies.permission_fix() == "", "it may be opened"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "usermod -aG render,video $USER" in remedies.gl_fix()
    assert "renderD128 is closed to you" in remedies.gl_fix()
    (tmp_path / "nvidiactl").touch()
    assert "libegl-nvidia0" in remedies.gl_fix()
    assert "=all" in remedies.nvidia_fix({"NVIDIA_DRIVER_CAPABILITIES": "compute"})
    (tmp_path / "container").touch()
    assert "NVIDIA_DRIVER_CAPABILITIES=all" in remedies.gl_fix()


CLAIMS = """
import sys
from pipeline.render import devices
devices._TURNS = sys.argv[1]
print(devices.claim_turn(), flush=True)
for line in sys.stdin:
    print(devices.claim_turn(), flush=True)
"""


class Worker:
    """A process that has claimed a turn, and says it again when it is asked."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-c", CLAIMS, name), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def told(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def told_again(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        return self.told()

    def kill(self) -> None:
        with self._process:
            self._process.kill()


def test_workers_that_live_at_once_are_numbered_and_a_dead_one_s_number_is_taken_again() -> None:
    name = f"scan2k-test-{uuid4()}"
    with ExitStack() as alive:

        def started() -> Worker:
            worker = Worker(name)
            alive.callback(worker.kill)
            return worker

        together = [started() for _ in range(3)]
        numbered = {worker.told(): worker for worker in together}
        assert sorted(numbered) == [0, 1, 2]
        assert [numbered[number].told_again() for number in range(3)] == [0, 1, 2]
        numbered[1].kill()
        assert [started().told() for _ in range(2)] == [1, 3]


@pytest.mark.parametrize(("said", "meant"), [((), None), (("auto",), None), (("0",), 0), (("12",), 12)])
def test_the_option_becomes_the_request(
    monkeypatch: pytest.MonkeyPatch, said: tuple[str, ...], meant: int | None
) -> None:
    asked = []

    def pretend(request: RenderRequest, watch: object, conduct: object) -> Summary:
        asked.append(request)
        return nothing()

    monkeypatch.setattr(build, "render", pretend)
    assert cli.main(["render", "demo", *(part for word in said for part in ("--gl-device", word))]) == 0
    assert asked == [RenderRequest("demo", gl_device=meant)]


@pytest.mark.parametrize("said", ["first", "-1", "1.5", ""])
def test_what_is_no_index_is_refused(capsys: pytest.CaptureFixture[str], said: str) -> None:
    assert cli.main(["render", "demo", "--gl-device", said]) == 2
    assert f"{said!r} is neither auto nor the index of an EGL device" in capsys.readouterr().err


def test_a_second_context_leaves_the_first_alone() -> None:
    first = create_context()
    kept = first.buffer(b"first")
    second = create_context()
    second.buffer(b"other")
    with first:
        assert kept.read() == b"first"
    second.release()
    with first:
        assert kept.read() == b"first"
        assert first.error == "GL_NO_ERROR"
    first.release()


CONTEXTS = """
import os
from pathlib import Path
from pipeline.render.context import create_context

def held():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files, threads = (len(os.listdir(f"/proc/self/{kind}")) for kind in ("fd", "task"))
    return pages * os.sysconf("SC_PAGE_SIZE"), files, threads

for number in range(500):
    context = create_context()
    buffer = context.buffer(b"1" * 1_000_000)
    assert buffer.read(1) == b"1"
    context.release()
    if number == 99:
        print(*held())
print(*held())
"""


def test_five_hundred_contexts_leave_nothing_behind() -> None:
    done = subprocess.run((sys.executable, "-c", CONTEXTS), capture_output=True, text=True, check=True)
    before, after = (tuple(map(int, line.split())) for line in done.stdout.splitlines())
    assert after[1:] == before[1:], "files and threads"
    # The binding keeps the names of all extensions, 39 kB a context; a context that stays has 3.6 MB.
    assert (after[0] - before[0]) / 400 < 100_000
