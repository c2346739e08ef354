"""The set-up script, in a checkout of its own, with a Python, apt-get and sudo that only take notes."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APT = "apt-get install -y --no-install-recommends"

# Stands in for python3, and copies itself into .venv when asked for one.
PYTHON = r"""#!/bin/bash
echo "python $*" >>"$NOTES"
case "$*" in
    *version_info\[:2\]*) echo "${FAKE_VERSION:-3.11}" ;;
    *"version_info < "*) [ "${FAKE_VERSION:-3.11}" != 3.10 ] ;;
    *ensurepip*) [ -e "$MACHINE/has-venv" ] ;;
    *egl.py) [ -e "$MACHINE/has-egl" ] ;;
    *"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *"pip install"*) [ ! -e "$MACHINE/pip-fails" ] ;;
esac
"""
APT_GET = r"""#!/bin/bash
echo "apt-get $*" >>"$NOTES"
case "$*" in *install*) touch "$MACHINE/has-venv" "$MACHINE/has-egl" ;; esac
"""
SUDO = r"""#!/bin/bash
[ -e "$MACHINE/has-sudo" ] || exit 1
[ "$1" = -n ] && shift
"$@"
"""
IDENTITY = '#!/bin/bash\n[ -e "$MACHINE/is-root" ] && echo 0 || echo 1000\n'


@dataclass
class Machine:
    """A pretended machine; `has` are facts about it such as has-egl, has-venv, has-sudo, is-root."""

    root: Path

    @property
    def checkout(self) -> Path:
        return self.root / "checkout"

    def has(self, *facts: str) -> Machine:
        for fact in facts:
            (self.root / fact).touch()
        return self

    def set_up(self, want: str = "run", **more: str) -> subprocess.CompletedProcess[str]:
        notes = self.root / "notes"
        notes.write_text("")
        environment = {
            "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
            "NOTES": str(notes),
            "MACHINE": str(self.root),
            **more,
        }
        command = (str(self.checkout / "tools" / "setup.sh"), want)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @property
    def notes(self) -> str:
        return (self.root / "notes").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    for name in ("tools/setup.sh", "pyproject.toml", "constraints.txt", "pipeline/render/egl.py"):
        place = made.checkout / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place)
    (tmp_path / "bin").mkdir()
    fakes = {"python3": PYTHON, "apt-get": APT_GET, "sudo": SUDO, "id": IDENTITY}
    for name, text in fakes.items():
        place = tmp_path / "bin" / name
        place.write_text(text)
        place.chmod(0o755)
    return made


def test_a_second_run_calls_nothing(machine: Machine) -> None:
    machine.has("has-egl", "has-venv")
    assert machine.set_up().returncode == 0
    assert "pip install" in machine.notes
    again = machine.set_up()
    assert (again.returncode, again.stdout, again.stderr, machine.notes) == (0, "", "", "")


def test_without_rights_the_command_is_printed_and_nothing_is_done(machine: Machine) -> None:
    done = machine.set_up()
    assert done.returncode == 1
    packages = "python3.11-venv libegl1 libgl1 libgl1-mesa-dri"
    assert f"\n    sudo apt-get update && sudo {APT} {packages}\n" in done.stderr
    assert "apt-get" not in machine.notes
    assert "-m pip" not in machine.notes
    assert not (machine.checkout / ".venv").exists()


@pytest.mark.parametrize("right", ["is-root", "has-sudo"])
def test_with_rights_what_is_missing_is_installed(machine: Machine, right: str) -> None:
    machine.has(right, "has-venv")
    assert machine.set_up().returncode == 0
    assert "install -y --no-install-recommends libegl1 libgl1 libgl1-mesa-dri\n" in machine.notes
    assert (machine.checkout / ".venv" / "ready-run").exists()


def test_a_machine_that_lacks_nothing_is_left_alone(machine: Machine) -> None:
    machine.has("has-egl", "has-venv", "is-root")
    assert machine.set_up().returncode == 0
    assert "apt-get" not in machine.notes


def test_a_set_up_that_broke_off_is_repaired(machine: Machine) -> None:
    machine.has("has-egl", "has-venv", "pip-fails")
    assert machine.set_up().returncode != 0
    (machine.root / "pip-fails").unlink()
    assert machine.set_up().returncode == 0
    assert "pip install" in machine.notes
    assert machine.set_up().returncode == 0
    assert machine.notes == ""


def test_a_broken_environment_is_made_again(machine: Machine) -> None:
    machine.has("has-egl", "has-venv")
    machine.set_up()
    (machine.checkout / ".venv" / "bin" / "python").unlink()
    assert machine.set_up().returncode == 0
    assert "-m venv --clear .venv" in machine.notes


def test_changed_pins_are_installed(machine: Machine) -> None:
    machine.has("has-egl", "has-venv")
    machine.set_up()
    with (machine.checkout / "constraints.txt").open("a") as pins:
        pins.write("more==1.0\n")
    assert machine.set_up().returncode == 0
    assert "pip install" in machine.notes
    assert "-m venv" not in machine.notes


def test_each_set_up_serves_those_who_need_less_but_not_the_other_way_round(machine: Machine) -> None:
    machine.has("has-egl", "has-venv")
    for want, installed in (("run", "-e ."), ("train", "-e .[train]"), ("dev", "-e .[dev]")):
        assert machine.set_up(want).returncode == 0
        assert f"{installed}\n" in machine.notes
        for less in ("run", "train", "dev"):
            assert machine.set_up(less).returncode == 0
            assert machine.notes == ""
            if less == want:
                break


@pytest.mark.parametrize("want", ["run", "train", "dev"])
def test_any_set_up_is_made_on_a_fresh_machine(machine: Machine, want: str) -> None:
    machine.has("has-egl", "has-venv")
    assert machine.set_up(want).returncode == 0
    stamps = sorted(path.name for path in (machine.checkout / ".venv").glob("ready-*"))
    assert stamps == [f"ready-{want}"]


def test_a_set_up_for_nothing_known_is_refused(machine: Machine) -> None:
    done = machine.set_up("learn")
    assert (done.returncode, machine.notes) == (2, "")
    assert "'run', 'train' or 'dev', not 'learn'" in done.stderr


def test_an_old_python_is_refused(machine: Machine) -> None:
    machine.has("has-egl", "has-venv")
    done = machine.set_up(PYTHON="python3", FAKE_VERSION="3.10")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert not (machine.checkout / ".venv").exists()


def test_another_python_that_is_asked_for_is_used(machine: Machine) -> None:
    machine.has("has-egl", "has-venv")
    machine.set_up()
    other = machine.root / "python3.13"
    other.write_text(PYTHON.replace(":-3.11", ":-3.13"))
    other.chmod(0o755)
    assert machine.set_up(PYTHON=str(other)).returncode == 0
    assert "-m venv --clear .venv" in machine.notes
    assert machine.set_up(PYTHON=str(other)).returncode == 0
    assert "-m pip" not in machine.notes


def test_the_script_is_executable() -> None:
    assert os.access(ROOT / "tools" / "setup.sh", os.X_OK)
