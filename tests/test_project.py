"""The project itself: pages, packages, pins and verbs say what is so."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import click
import pytest

import cli

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "manifests", "recon", "shaders")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{path} {name}")


COMMANDS = dict(_commands(cli.scan2k, "scan2k"))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_on_the_page(path: str) -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    heading = f"\n## `{path}"
    assert heading in page, f"docs/cli.md has no section {heading.strip()}"
    section = page.split(heading)[1].split("\n## ")[0]
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option):
            missing = [name for name in parameter.opts if f"`{name}" not in section]
        else:
            missing = [] if parameter.human_readable_name in section else [parameter.human_readable_name]
        assert missing == [], f"docs/cli.md, {path}: {missing}"


def test_the_page_names_no_option_that_does_not_exist() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    known = {name for command in COMMANDS.values() for p in command.params for name in p.opts} | {"--help"}
    assert set(re.findall(r"`(--[a-z-]+)", page)) <= known


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_has_a_help_text(path: str) -> None:
    command = COMMANDS[path]
    assert command.help
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_verb_of_make_has_a_help_text() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert phony
    told = set(re.findall(r"^([a-z-]+):.*## \w", makefile, flags=re.MULTILINE))
    assert told == {verb for verb in phony[1].split() if not verb.startswith("ready-")}


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_every_package_in_use_is_pinned_to_the_version_in_use() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pins = {_name(name): version for name, version in pins.items()}
    project = _project()["project"]
    extras = project["optional-dependencies"]
    waiting = [_name(r) for r in (*project["dependencies"], *extras["dev"], *extras["body"], "setuptools")]
    seen = {"scan2k"}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        found = distribution(name)
        assert pins.get(name) == found.version.split("+")[0], (
            f"{name} {found.version}: not so in constraints.txt"
        )
        needed = [r for r in found.requires or () if "extra ==" not in r and _applies(r)]
        waiting += [_name(requirement) for requirement in needed]


def _applies(requirement: str) -> bool:
    """Whether a requirement is met for this interpreter, judged by whether it is installed."""
    return ";" not in requirement or any(
        _name(requirement) == _name(d) for names in packages_distributions().values() for d in names
    )


def _imported(*places: str) -> set[str]:
    """The distributions imported anywhere in these files and folders."""
    modules: set[str] = set()
    for path in (
        p for place in places for p in (ROOT / place, *(ROOT / place).rglob("*.py")) if p.is_file()
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.split(".")[0])
    homes = {**packages_distributions(), "OpenEXR": ["OpenEXR"]}  # one compiled file: Python 3.11 sees none
    return {_name(homes[m][0]) for m in modules - set(sys.stdlib_module_names) if m in homes} - {"scan2k"}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = _project()["project"]
    needed = {_name(requirement) for requirement in project["dependencies"]}
    extras = project["optional-dependencies"]
    optional = {_name(requirement) for name in extras if name != "dev" for requirement in extras[name]}
    developers = {_name(requirement) for requirement in project["optional-dependencies"]["dev"]}
    through = {"bokeh", "cryptography"}  # Dask's dashboard, and its certificates
    assert needed - through <= _imported("cli.py", *PACKAGES) <= needed | optional
    judges = {"mypy", "ruff", "scan2k"}  # these are run, not imported
    assert (
        developers - judges <= _imported("tests", "tools", "benchmarks") <= needed | optional | developers
    )


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files in a wheel built from a copy of the checkout's files."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ("git", "ls-files", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            place = folder / "source" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((ROOT / name).read_bytes())
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run((*pip, "--wheel-dir", str(folder), str(folder / "source")), check=True)
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_everything_in_the_packages_travels_in_the_wheel(wheel_names: set[str]) -> None:
    there = {"cli.py"}
    for name in PACKAGES:
        for path in (ROOT / name).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                there.add(path.relative_to(ROOT).as_posix())
    assert {name for name in there if name.startswith("shaders/include/")}
    assert there <= wheel_names


def test_nothing_else_travels_in_the_wheel(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} <= {"cli.py", *PACKAGES}
    assert any(name.endswith("licenses/LICENSE") for name in wheel_names)
