"""The house rules of docs/architecture.md, held by reading the source: rooms, libraries, sizes, names."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "manifests", "recon", "shaders")
BESIDE = ("tests", "tools", "benchmarks")  # their sizes count, their imports do not
EVERY_ROOM_MAY = frozenset({"errors", "records", "rows"})
FORBIDDEN_NAMES = frozenset({"utils", "util", "common", "helpers", "misc", "base", "core", "manager"})
MOST_LINES_A_FILE = 400
MOST_LINES_A_FUNCTION = 60


@dataclass(frozen=True)
class Room:
    """What one room may import: other rooms (besides errors and records) and libraries."""

    rooms: frozenset[str]
    libraries: frozenset[str]


def _room(rooms: str, libraries: str) -> Room:
    return Room(frozenset(rooms.split()), frozenset(libraries.split()))


# Lower rooms first: a room imports only rooms above its own line. The same table stands in the docs.
TABLE = {
    "errors": _room("", ""),
    "records": _room("", "numpy"),
    "rows": _room("", ""),
    "config": _room("", ""),
    "atomic": _room("", ""),
    "shaders": _room("", ""),
    "geometry": _room("", "numpy scipy"),
    "formats": _room("atomic", "numpy scipy trimesh PIL isal OpenEXR imagecodecs"),
    "store": _room("config", ""),
    "datasets": _room("config formats geometry store", ""),
    "body": _room("geometry formats", "numpy torch smplx"),
    "synth": _room("atomic geometry formats body", "numpy scipy"),
    "render": _room("geometry shaders", "numpy moderngl"),
    "keys": _room("config formats geometry store", ""),
    "version": _room("", ""),
    "stopping": _room("", ""),
    "stages": _room("config datasets formats geometry store body synth render keys version", "numpy"),
    "graph": _room("", "dask distributed dask_jobqueue psutil toolz"),
    "manifests": _room("atomic", "pyarrow"),
    "conduct": _room(
        "atomic config datasets formats geometry graph keys manifests stages store version", "numpy"
    ),
    "audit": _room("config datasets formats store keys manifests conduct", "numpy"),
    "export": _room("atomic config store manifests", ""),
    "build": _room(
        "atomic config datasets store keys stages graph manifests conduct export version stopping", ""
    ),
    "recon": _room(
        "atomic config geometry formats body store version stopping manifests", "numpy torch matplotlib"
    ),
    "doctor": _room("formats render", ""),
    "listing": _room("config datasets store", ""),
    "detections": _room("atomic formats geometry", ""),
    "commands": _room(
        "config store synth audit export conduct build recon doctor listing detections", "click rich"
    ),
    "cli": _room("commands", "click"),
}
# The floors inside recon, lower ones first: what each part may import of it, besides itself.
RECON = {
    "places": frozenset({"rays", "normals", "windows", "parts"}),
    "request": frozenset({"recipe"}),
    "files": frozenset({"table", "tensor_file"}),
    "model": frozenset({"recompute", "unets", "network", "losses", "checkpoint"}),
    "data": frozenset({"data"}),
    "metrics": frozenset({"metrics"}),
    "training": frozenset({"training"}),
    "errands": frozenset({"train", "inspection"}),
}
IN_RECON = {
    "places": "",
    "request": "",
    "files": "",
    "model": "places files",
    "data": "places request",
    "metrics": "places model",
    "training": "places request files model data metrics",
    "errands": "request files model data training",
}
DASK = frozenset({"dask", "distributed", "dask_jobqueue"})
DASK_FILES = ("batch.py", "cluster.py", "sites.py")  # of the graph: how work is handed out, and to whom
INSTANT_ROOMS = frozenset({"cli", "commands"})  # what `scan2k --help` loads
LOADED_AT_ONCE = frozenset({"click", "pipeline.errors", "pipeline.config", "recon.recipe"})


def violations(root: Path) -> list[str]:
    """Everything in a source tree that breaks the rules, one line each."""
    found = []
    sources = [root / "cli.py", *(p for name in PACKAGES for p in sorted((root / name).rglob("*.py")))]
    for path in (p for p in sources if p.exists()):
        place = path.relative_to(root)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{place}: {fault}" for fault in (*_import_faults(place, tree), *_name_faults(place))]
        if ast.get_docstring(tree) is None:
            found.append(f"{place}: has no docstring")
    for path in (*sources, *(p for name in BESIDE for p in sorted((root / name).rglob("*.py")))):
        if path.exists():
            found += [f"{path.relative_to(root)}: {fault}" for fault in _size_faults(path)]
    return found


def room_of(place: Path) -> str | None:
    """The room a file of the tree belongs to; None for pipeline/__init__.py, the hall they all lie off."""
    parts = place.with_suffix("").parts
    if parts[0] != "pipeline":
        return parts[0]
    return None if parts[1] == "__init__" else parts[1]


def _import_faults(place: Path, tree: ast.Module) -> Iterator[str]:
    room = room_of(place)
    if room is not None and room not in TABLE:
        yield f"room {room} is not in the table"
        return
    own = TABLE[room] if room else Room(frozenset(), frozenset())
    for module in _imported(place, tree):
        top = module.split(".")[0]
        if top in sys.stdlib_module_names:
            continue
        if top not in PACKAGES:
            if top not in own.libraries:
                yield f"{room} may not import library {top}"
            elif top in DASK and place.name not in DASK_FILES:
                yield f"{top} belongs in {', '.join(DASK_FILES)} of the graph"
            continue
        other = _room_of_module(module)
        if other not in {room, *own.rooms, *EVERY_ROOM_MAY} or room in EVERY_ROOM_MAY:
            yield f"{room} may not import {other or module}"
        if room == "stages" and other == "stages" and module.count(".") > 1:
            yield f"a stage imports another, {module}"
        if room == "recon" and other == "recon":
            yield from _recon_faults(place, module)
    yield from _hidden_import_faults(tree)
    if room in INSTANT_ROOMS:
        outside: list[ast.stmt] = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        modules = set(_imported(place, ast.Module(outside, [])))
        heavy = {m for m in modules - LOADED_AT_ONCE if _room_of_module(m) not in INSTANT_ROOMS}
        heavy = {m for m in heavy if m.split(".")[0] not in sys.stdlib_module_names}
        yield from (f"{module} is imported at the top" for module in sorted(heavy))


def _recon_faults(place: Path, module: str) -> Iterator[str]:
    """What is wrong with one part of recon importing another."""
    own, other = (part_of_recon(name) for name in (place.with_suffix("").parts[1], module.split(".")[1]))
    if own is None:
        yield "is in no part of recon's table"
    elif other not in {own, *IN_RECON[own].split()}:
        yield f"{own} of recon may not import {module}"


def part_of_recon(name: str) -> str | None:
    """The part of recon that a file or folder of it belongs to."""
    return next((part for part, names in RECON.items() if name in names), None)


def _imported(place: Path, tree: ast.Module) -> Iterator[str]:
    """Every module a file imports, wherever the statement stands, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = list(place.parts[: -node.level]) if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            if module in {"pipeline", "pipeline.stages", "recon"}:  # the names are modules themselves
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


def _room_of_module(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] != "pipeline":
        return parts[0]
    return parts[1] if len(parts) > 1 else None


def _hidden_import_faults(tree: ast.Module) -> Iterator[str]:
    """Imports that the table could not see."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in {"import_module", "__import__"}:
            yield f"line {getattr(node, 'lineno', 0)} imports by {name}, out of sight"


def _name_faults(place: Path) -> Iterator[str]:
    for part in place.with_suffix("").parts:
        if part in FORBIDDEN_NAMES:
            yield f"{part} says nothing; name the noun"


def _size_faults(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    length = len(text.splitlines())
    if length > MOST_LINES_A_FILE:
        yield f"is {length} lines long, over {MOST_LINES_A_FILE}"
    for name, lines in _functions(ast.parse(text)):
        if lines > MOST_LINES_A_FUNCTION:
            yield f"{name} is {lines} lines long, over {MOST_LINES_A_FUNCTION}"


def _functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_the_house_keeps_its_rules() -> None:
    assert violations(ROOT) == []


def test_the_house_is_seen_at_all() -> None:
    rooms = {room_of(path.relative_to(ROOT)) for path in (ROOT / "pipeline").rglob("*.py")}
    assert {"errors", "records", "geometry", "formats", "render", "synth", "stages", "build"} <= rooms


def test_most_files_and_functions_are_short() -> None:
    texts = [p.read_text(encoding="utf-8") for name in PACKAGES for p in (ROOT / name).rglob("*.py")]
    files = [len(text.splitlines()) for text in texts]
    functions = [lines for text in texts for _, lines in _functions(ast.parse(text))]
    assert sum(lines <= 250 for lines in files) >= 0.9 * len(files)
    assert sum(lines <= 30 for lines in functions) >= 0.9 * len(functions)


def test_no_room_imports_upward() -> None:
    order = list(TABLE)
    for place, (name, room) in enumerate(TABLE.items()):
        assert room.rooms <= set(order[:place]), f"{name} imports a room on or above its own floor"


def test_no_part_of_recon_imports_upward() -> None:
    order = list(RECON)
    assert order == list(IN_RECON)
    for place, part in enumerate(order):
        assert set(IN_RECON[part].split()) <= set(order[:place])


def test_all_of_recon_is_in_a_part() -> None:
    found = {path.stem for path in (ROOT / "recon").iterdir() if path.suffix == ".py" or path.is_dir()}
    known = {name for names in RECON.values() for name in names}
    assert found - {"__init__", "__pycache__"} == known


CLEAN = {
    "cli.py": '"""The command line."""\nimport click\nfrom pipeline.commands.render import render\n',
    "pipeline/commands/render.py": '"""A command."""\ndef render():\n    from pipeline import build\n',
    "pipeline/__init__.py": '"""The hall."""\n',
    "pipeline/errors.py": '"""Errors."""\n',
    "pipeline/geometry/mesh.py": '"""Meshes."""\nimport numpy as np\nfrom pipeline.records import Mesh\n',
    "pipeline/render/context.py": '"""GL."""\ndef open():\n    import moderngl\n',
    "pipeline/stages/__init__.py": '"""Stages."""\n',
    "pipeline/stages/align.py": '"""Align."""\nfrom pipeline import store\n',
    "tests/test_mesh.py": "def test_mesh():\n    assert True\n",
}
LONG_FUNCTION = '"""Long."""\ndef long():\n' + "    x = 1\n" * MOST_LINES_A_FUNCTION
PLANTED = {
    "a room above": ("pipeline/geometry/mesh.py", "from pipeline.render import egl", "not import render"),
    "a room by name": ("pipeline/formats/ply.py", "from pipeline import geometry", "not import geometry"),
    "a relative import": ("pipeline/formats/ply.py", "from ..store import Place", "not import store"),
    "inside a function": ("pipeline/build.py", "def f():\n    import moderngl", "library moderngl"),
    "under type checking": ("pipeline/store.py", "if 0:\n    import PIL.Image", "library PIL"),
    "a library not owned": ("pipeline/geometry/mesh.py", "import torch", "library torch"),
    "a hidden import": ("pipeline/build.py", "from importlib import *\nimport_module(X)", "out of sight"),
    "errors that import": ("pipeline/errors.py", "from pipeline.records import Mesh", "not import records"),
    "dask outside its file": ("pipeline/graph/plan.py", "import dask", "dask belongs in batch.py, "),
    "stage to stage": ("pipeline/stages/render.py", "from pipeline.stages.align import x", "stage imports"),
    "stage by name": ("pipeline/stages/render.py", "from pipeline.stages import align", "stage imports"),
    "a heavy command": ("pipeline/commands/render.py", "import rich", "rich is imported at the top"),
    "a heavy room": ("pipeline/commands/render.py", "from pipeline import build", "build is imported at"),
    "a command line that works": ("cli.py", "def f():\n    from pipeline import build", "not import build"),
    "a room nobody knows": ("pipeline/attic/box.py", "", "room attic is not in the table"),
    "a model that loads": ("recon/network.py", "from recon.data import batch", "model of recon may not"),
    "data that knows the model": ("recon/data/x.py", "from recon import losses", "data of recon may not"),
    "a part nobody knows": ("recon/attic.py", "from recon import network", "in no part of recon"),
    "a name without a noun": ("pipeline/geometry/utils.py", "", "utils says nothing"),
    "a package without a noun": ("pipeline/geometry/common/mesh.py", "", "common says nothing"),
    "a long file": ("pipeline/geometry/long.py", "x = 1\n" * MOST_LINES_A_FILE, "is 401 lines long"),
    "a long test file": ("tests/test_long.py", "x = 1\n" * MOST_LINES_A_FILE, "is 401 lines long"),
    "a long function": ("pipeline/geometry/long.py", LONG_FUNCTION, "long is 61 lines long"),
}  # fmt: skip


def _build(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_a_clean_tree_has_no_violations(tmp_path: Path) -> None:
    assert violations(_build(tmp_path, CLEAN)) == []


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_violation_is_reported(tmp_path: Path, kind: str) -> None:
    name, text, expected = PLANTED[kind]
    root = _build(tmp_path, {**CLEAN, name: f'"""Planted."""\n{text}'})
    found = violations(root)
    assert len(found) == 1, found
    assert found[0].startswith(f"{name}: ")
    assert expected in found[0]


def test_a_module_without_a_docstring_is_reported(tmp_path: Path) -> None:
    root = _build(tmp_path, {**CLEAN, "pipeline/geometry/bare.py": "x = 1\n"})
    assert violations(root) == ["pipeline/geometry/bare.py: has no docstring"]


def test_the_page_shows_the_same_table() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.split("## Who may import whom")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", section, flags=re.MULTILINE)
    shown = {
        name: Room(*(frozenset(re.findall(r"`(\w+)`", cell)) for cell in cells)) for name, *cells in rows
    }
    assert shown == TABLE
    assert list(shown) == list(TABLE)


def test_the_page_says_which_rooms_are_not_built_yet() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    said = re.search(r"^Not built yet: (.*)\.$", page, flags=re.MULTILINE)
    absent = [
        room
        for room in TABLE
        if not any(
            (ROOT / base / name).exists() for base in ("pipeline", "") for name in (room, f"{room}.py")
        )
    ]
    assert (re.findall(r"`(\w+)`", said[1]) if said else []) == absent
