"""What a scan's own files name: all that readers would open, and nothing outside; no change goes unseen."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from gltf_writer import Writer, glb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.config import RenderRequest
from pipeline.datasets.scans import companions_of, read_scan
from pipeline.errors import FormatError, ScanError
from pipeline.formats import companions, obj_lines
from pipeline.formats.obj_text import libraries_in, parse
from pipeline.keys import looks_of
from pipeline.records import Subject
from pipeline.rows import Inspected
from pipeline.stages import inspect
from pipeline.store import Workspace

CORNERS = "vt 0 0\nvt 1 0\nvt 0 1\n"
PLAIN = f"v 0 0 0\nv 1 0 0\nv 0 1 0\n{CORNERS}"
COLORED = PLAIN.replace(" 0\nv ", " 0 1 0 0\nv ").replace("v 0 1 0\n", "v 0 1 0 1 0 0\n")
FOLDER = "obj/ours/a"
LIBRARIES = (
    *("a.mtl", "A.MTL", "./a.mtl", "my a.mtl", "up.mtl a.mtl", "../up.mtl", "my a.mtl no.mtl"),
    *("../../../../out.mtl", "/etc/passwd", "C:\\x\\a.mtl", "..", "no.mtl"),
)
PICTURES = (
    *("skin.bmp", "SKIN.bmp", "tex/skin.bmp", "tex\\Skin.bmp", "../skin.bmp", "/home/x/skin.bmp"),
    *("../../../../out.bmp", "/etc/passwd", "no.bmp", "tex", "."),
)
MATERIALS = (f"{FOLDER}/a.mtl", f"{FOLDER}/A.mtl", f"{FOLDER}/my a.mtl", f"{FOLDER}/my", "obj/ours/up.mtl")
IMAGES = (
    *(f"{FOLDER}/skin.bmp", f"{FOLDER}/Skin.BMP", f"{FOLDER}/tex/skin.bmp", f"{FOLDER}/TEX/SKIN.bmp"),
    "obj/ours/skin.bmp",
)
OUTSIDE = ("out.mtl", "out.bmp")  # beside the data folder

State = Mapping[str, int]  # which files there are, and which version of each


def states(names: tuple[str, ...]) -> st.SearchStrategy[State]:
    return st.dictionaries(st.sampled_from(names), st.integers(0, 1))


def bmp(shade: int) -> bytes:
    """A picture of one colour; all are of the same length."""
    rows = bytes((shade, shade, shade, 0) * 4)
    head = b"BM" + (54 + len(rows)).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    size = b"".join(number.to_bytes(4, "little") for number in (40, 2, 2))
    form = (1).to_bytes(2, "little") + (32).to_bytes(2, "little") + bytes(4)
    return head + size + form + len(rows).to_bytes(4, "little") + bytes(16) + rows


def put(root: Path, state: State, names: tuple[str, ...], content: Callable[[str, int], bytes]) -> None:
    """Have the files of a state, and no others of those names; each version has its own time."""
    for name in names:
        path = root / name
        path.unlink(missing_ok=True)
        if name in state:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(name, state[name]))
            os.utime(path, (1000 + state[name], 1000 + state[name]))


def outcome(work: Workspace, subject: Subject) -> object:
    """What a reader makes of a scan: its textures. For which reason it is refused makes no difference."""
    try:
        mesh = read_scan(work, subject)
    except ScanError:
        return None
    worn = None if mesh.face_textures is None else mesh.face_textures.tolist()
    return [texture.tobytes() for texture in mesh.textures], worn


def seen(work: Workspace, subject: Subject) -> Inspected:
    return inspect.run(work, subject, None, inspect.wishes_of(work, RenderRequest("ours", work.root)))


def stamp(work: Workspace, subject: Subject, named: tuple[str, ...]) -> str:
    wishes = inspect.wishes_of(work, RenderRequest("ours", work.root))
    return inspect.stamp_of(work, subject, None, wishes, named)


def looks(subject: Subject, found: Inspected) -> dict[str, str]:
    return looks_of(subject.mesh, (*subject.textures, *found.named), found.sources)


def hold_together(
    work: Workspace, subject: Subject, before: Callable[[], None], after: Callable[[], None]
) -> None:
    """What a build goes by changes at least where what is read does."""
    before()
    first, was = seen(work, subject), outcome(work, subject)
    assert stamp(work, subject, first.named) == first.stamp
    after()
    second, now = seen(work, subject), outcome(work, subject)
    if was != now:
        assert stamp(work, subject, first.named) != first.stamp
        assert looks(subject, second) != looks(subject, first)
        assert second.source_key != first.source_key
    for found in (first, second):
        assert not {name for name in found.named if name.startswith(("/", "..")) or "out." in name}
        assert {file.path for file in found.sources} <= {subject.mesh, *found.named}


@settings(max_examples=300, deadline=None)
@given(
    lines=st.lists(st.sampled_from(LIBRARIES), max_size=3),
    told=st.tuples(*[st.lists(st.integers(0, len(PICTURES) - 1), min_size=1, max_size=2)] * 2),
    colored=st.booleans(),
    states=st.tuples(*[states((*MATERIALS, *IMAGES))] * 2),
)
@example(["a.mtl"], ([0], [0]), False, ({MATERIALS[0]: 0, IMAGES[0]: 0}, {MATERIALS[0]: 0, IMAGES[0]: 1}))
@example(["a.mtl"], ([1], [1]), False, ({MATERIALS[0]: 0}, {MATERIALS[0]: 0, IMAGES[1]: 0}))
@example(["a.mtl"], ([9], [0]), False, ({MATERIALS[0]: 0}, {MATERIALS[0]: 0, "obj/ours/a/TEX/SKIN.bmp": 0}))
@example(["my a.mtl"], ([0], [0]), True, ({}, {MATERIALS[3]: 0, IMAGES[0]: 0}))
def test_no_change_of_what_an_obj_is_read_from_goes_unseen(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    told: tuple[list[int], list[int]],
    colored: bool,
    states: tuple[State, State],
) -> None:
    root = tmp_path_factory.mktemp("data") / "root"
    names = (*MATERIALS, *IMAGES)

    def content(name: str, version: int) -> bytes:
        if not name.endswith("mtl") and not name.endswith("my"):
            return bmp(10 * names.index(name) + version)
        pictures = [PICTURES[i] for i in told[version]]
        return "".join(f"newmtl m{i}\nmap_Kd {name}\n" for i, name in enumerate(pictures)).encode()

    (root / FOLDER).mkdir(parents=True)
    for name in OUTSIDE:
        (root.parent / name).write_bytes(b"newmtl m0\nmap_Kd skin.bmp\n" if "mtl" in name else bmp(200))
    faces = "usemtl m0\nf 1/1 2/2 3/3\nusemtl m1\nf 3/3 2/2 1/1\n"
    libraries = "".join(f"mtllib {line}\n" for line in lines)
    (root / FOLDER / "a.obj").write_text(libraries + (COLORED if colored else PLAIN) + faces)
    subject = Subject("ours", "a", "train", f"{FOLDER}/a.obj")
    before, after = (partial(put, root, state, names, content) for state in states)
    hold_together(Workspace(root, "ours"), subject, before, after)


URIS = (
    *("skin.bmp", "SKIN.bmp", "tex/skin.bmp", "TEX%2FSkin.bmp", "../skin.bmp", "/etc/passwd", "no.bmp"),
    *("http://a.b/skin.bmp", "data:image/png;base64,AAAA", "%00", ""),
)


@settings(max_examples=150, deadline=None)
@given(
    buffer=st.sampled_from(["a.bin", "A.BIN", "../a.bin", "no.bin"]),
    picture=st.sampled_from(URIS),
    states=st.tuples(*[states((f"{FOLDER}/a.bin", f"{FOLDER}/A.bin", "obj/ours/a.bin", *IMAGES))] * 2),
)
def test_no_change_of_what_a_gltf_is_read_from_goes_unseen(
    tmp_path_factory: pytest.TempPathFactory, buffer: str, picture: str, states: tuple[State, State]
) -> None:
    root = tmp_path_factory.mktemp("data")
    names = (f"{FOLDER}/a.bin", f"{FOLDER}/A.bin", "obj/ours/a.bin", *IMAGES)
    writer = textured(picture)
    (root / FOLDER).mkdir(parents=True)
    (root / FOLDER / "a.gltf").write_bytes(writer.gltf(buffer))

    def content(name: str, version: int) -> bytes:
        whole = bytes(writer.content)
        return (
            bmp(10 * names.index(name) + version)
            if name.endswith(("bmp", "BMP"))
            else whole[: -version or None]
        )

    subject = Subject("ours", "a", "train", f"{FOLDER}/a.gltf")
    before, after = (partial(put, root, state, names, content) for state in states)
    hold_together(Workspace(root, "ours"), subject, before, after)


def textured(picture: str) -> Writer:
    """A triangle that wears a picture."""
    writer = Writer()
    places = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0]], dtype="<f4")
    attributes = {"POSITION": writer.array(places), "TEXCOORD_0": writer.array(places[:, :2].copy())}
    material = writer.material_of(writer.add("images", {"uri": picture}))
    writer.show(writer.mesh({"attributes": attributes, "material": material}))
    return writer


LINES = (
    *(
        "mtllib a.mtl",
        " \tmtllib  my b.mtl ",
        "mtllib",
        "# mtllib c",
        "MTLLIB d",
        "usemtl mtllib e",
        "f 1 1 1",
    ),
    *("mtllib f\\", "mtl\\", "lib g", "mtllibrary h", "mtllib\ti", "v 0 0 0", "o mtllib j", "mtllib \xe4"),
)


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.sampled_from(LINES), max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    block=st.integers(40, 90),
)
def test_material_files_are_those_that_the_whole_text_names(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], end: str, block: int
) -> None:
    path = tmp_path_factory.mktemp("obj") / "a.obj"
    path.write_bytes(end.join(["v 0 0 0", *parts, "mtllib last"]).encode("latin-1"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(obj_lines, "BLOCK", block)
        try:
            whole = parse(path).libraries
        except FormatError:
            return
        assert tuple(dict.fromkeys(libraries_in(path))) == whole


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """An OBJ with a material file and a picture, in a data folder."""
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    (folder / "a.obj").write_text(f"mtllib a.mtl\n{PLAIN}usemtl m\nf 1/1 2/2 3/3\n")
    (folder / "a.mtl").write_text("newmtl m\nmap_Kd skin.bmp\n")
    (folder / "skin.bmp").write_bytes(bmp(7))
    return folder / "a.obj"


def named(scan: Path, *textures: str) -> list[str]:
    """What the files of a scan name, by their names alone."""
    root = scan.parents[3]
    subject = Subject("ours", "a", "train", f"{FOLDER}/{scan.name}", textures)
    return [name.removeprefix(f"{FOLDER}/") for name in companions_of(Workspace(root, "ours"), subject)]


def test_a_material_file_and_its_pictures_are_named_once(scan: Path) -> None:
    assert named(scan) == ["a.mtl", "skin.bmp"]
    assert named(scan, f"{FOLDER}/a.mtl") == ["a.mtl", "skin.bmp"]
    scan.with_suffix(".mtl").write_text("newmtl m\nmap_Kd SKIN.bmp\nnewmtl n\nmap_Kd no.bmp\n" * 2)
    assert named(scan) == ["a.mtl", "SKIN.bmp", "skin.bmp", "no.bmp"]


def test_who_needs_no_materials_names_none(scan: Path) -> None:
    assert named(scan, f"{FOLDER}/skin.bmp") == []
    assert named(scan.with_suffix(".ply")) == [] == named(scan.with_suffix(".fbx"))
    assert [*companions_of(Workspace(scan.parent, "ours"), Subject("ours", "a", "train"))] == []


def test_a_glb_may_have_files_beside_it_too(scan: Path) -> None:
    writer = textured("my%20skin.bmp")
    scan.with_suffix(".glb").write_bytes(writer.glb())
    assert named(scan.with_suffix(".glb")) == ["my skin.bmp"]
    scan.with_suffix(".gltf").write_bytes(writer.gltf())
    assert named(scan.with_suffix(".gltf")) == ["my skin.bmp"]
    scan.with_suffix(".gltf").write_bytes(writer.gltf("a.bin"))
    assert named(scan.with_suffix(".gltf")) == ["a.bin", "my skin.bmp"]


BROKEN: dict[str, tuple[str, bytes, list[str]]] = {
    "materials": ("a.mtl", b"newmtl m\nmap_Kd skin.bmp\nKd red\n", ["a.mtl"]),
    "materials without end": ("a.mtl", b"newmtl m\nmap_Kd skin.bmp\n".ljust(5 << 20, b"#"), ["a.mtl"]),
    "an endless line": ("a.obj", b"v 0 0 0 " * (1 << 20) + b"\nmtllib a.mtl\n", []),
    "no glTF": ("a.gltf", b"{", []),
    "half a GLB": ("a.glb", glb(b"{}", b"")[:-1], []),
    "a list of nothing": ("a.gltf", b"[]", []),
    "other kinds": ("a.gltf", b'{"buffers": [4, {}, {"uri": 3}, {"uri": "b"}], "images": 5}', ["b"]),
    "a name of bytes": ("a.mtl", b"newmtl m\nmap_Kd \xe4.png\n", ["a.mtl"]),
    "a name of letters": ("a.mtl", b"newmtl m\nmap_Kd \xc3\xa4.png\n", ["a.mtl", "\xe4.png"]),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_read_names_nothing_and_is_no_complaint(scan: Path, what: str) -> None:
    name, content, expected = BROKEN[what]
    (scan.parent / name).write_bytes(content)
    assert named(scan if name.endswith("mtl") else scan.parent / name) == expected


def test_a_file_that_is_not_there_names_nothing(scan: Path) -> None:
    scan.unlink()
    for ending in (".obj", ".glb", ".gltf"):
        assert named(scan.with_suffix(ending)) == []


def test_a_scan_names_no_more_than_it_may(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companions, "MOST", 20)
    materials = "".join(f"newmtl {i}\nmap_Kd {i}.png\n" for i in range(100))
    scan.with_suffix(".mtl").write_text(materials)
    assert named(scan) == ["a.mtl", *(f"{i}.png" for i in range(19))]
    scan.write_text("".join(f"mtllib {i}.mtl\n" for i in range(100)))
    assert named(scan) == [f"{i}.mtl" for i in range(20)]
    scan.write_text("mtllib " + " ".join(f"{i}.mtl" for i in range(100)))
    assert named(scan)[1:] == [f"{i}.mtl" for i in range(19)]
    images = [{"uri": f"{i}.png"} for i in range(100)]
    scan.with_suffix(".gltf").write_text(f'{{"images": {images}}}'.replace("'", '"'))
    assert named(scan.with_suffix(".gltf")) == [f"{i}.png" for i in range(20)]


def test_pipes_and_folders_are_not_waited_on(scan: Path) -> None:
    scan.write_text(scan.read_text().replace("a.mtl", "a.mtl\nmtllib pipe\nmtllib tex"))
    scan.with_suffix(".mtl").write_text("newmtl m\nmap_Kd pipe\nnewmtl n\nmap_Kd tex\n")
    os.mkfifo(scan.parent / "pipe")
    (scan.parent / "tex").mkdir()
    found = seen(Workspace(scan.parents[3], "ours"), Subject("ours", "a", "train", f"{FOLDER}/a.obj"))
    assert sorted(found.named) == [f"{FOLDER}/{name}" for name in ("a.mtl", "pipe", "tex")]
    assert [file.path for file in found.sources] == [f"{FOLDER}/a.obj", f"{FOLDER}/a.mtl"]


def test_what_is_named_is_read_up_to_a_limit(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, subject = Workspace(scan.parents[3], "ours"), Subject("ours", "a", "train", f"{FOLDER}/a.obj")
    size = scan.with_suffix(".mtl").stat().st_size
    for limit, read in ((size + len(bmp(0)), ["a.mtl", "skin.bmp"]), (size + 1, ["a.mtl"]), (size - 1, [])):
        monkeypatch.setattr(inspect, "_MOST_BYTES", limit)
        found = seen(work, subject)
        assert [file.path for file in found.sources[1:]] == [f"{FOLDER}/{name}" for name in read]
        assert found.named == (f"{FOLDER}/a.mtl", f"{FOLDER}/skin.bmp")


def test_nothing_outside_the_data_folder_is_opened(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = scan.parents[3]
    hostile = ["/etc/passwd", "../../../../x", "..\\..\\..\\..\\x", "//etc/passwd", "tex/../../../../../x"]
    (root.parent / "x").write_text("newmtl m\nmap_Kd skin.bmp\n")
    scan.with_suffix(".mtl").write_text("".join(f"newmtl {i}\nmap_Kd {n}\n" for i, n in enumerate(hostile)))
    scan.write_text(
        scan.read_text().replace("a.mtl", "a.mtl\n" + "".join(f"mtllib {n}\n" for n in hostile))
    )
    opened = opening(monkeypatch)
    work, subject = Workspace(root, "ours"), Subject("ours", "a", "train", f"{FOLDER}/a.obj")
    found = seen(work, subject)
    assert {*opened} == {str(scan), str(scan.with_suffix(".mtl"))}
    assert found.named == (f"{FOLDER}/a.mtl", f"{FOLDER}/passwd")
    (root.parent / "x").unlink()


def test_what_is_named_is_the_same_wherever_the_data_folder_is(scan: Path) -> None:
    scan.with_suffix(".mtl").write_text("newmtl m\nmap_Kd SKIN.bmp\nnewmtl n\nmap_Kd no.bmp\n")
    root, subject = scan.parents[3], Subject("ours", "a", "train", f"{FOLDER}/a.obj")
    before = seen(Workspace(root, "ours"), subject)
    moved = root.rename(root.parent / f"{root.name} moved")
    after = seen(Workspace(moved, "ours"), subject)
    assert before == after
    assert stamp(Workspace(moved, "ours"), subject, after.named) == before.stamp
    moved.rename(root)


def test_a_file_is_seen_before_it_is_opened(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever changes while a scan is looked at is another stamp afterwards."""
    work, subject = Workspace(scan.parents[3], "ours"), Subject("ours", "a", "train", f"{FOLDER}/a.obj")
    for name in ("a.obj", "a.mtl", "skin.bmp"):
        with monkeypatch.context() as patch:
            opened = opening(patch, touched=scan.parent / name)
            found = seen(work, subject)
        assert str(scan.parent / name) in opened
        assert stamp(work, subject, found.named) != found.stamp
        assert stamp(work, subject, found.named) == seen(work, subject).stamp


def opening(patch: pytest.MonkeyPatch, touched: Path | None = None) -> list[str]:
    """The files that are opened from now on; one of them is changed when it is for the first time."""
    opened, before = list[str](), io.open

    def noted(file: Path, mode: str, *others: object) -> object:
        if file == touched and str(file) not in opened:
            facts = file.stat()
            os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))
        opened.append(str(file))
        return before(file, mode, *others)  # type: ignore[call-overload]

    patch.setattr(io, "open", noted)
    return opened
