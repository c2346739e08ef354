"""The cache of parsed meshes: fast when sound, and never believed when not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.formats import mesh_cache, obj_read
from pipeline.formats.mesh_cache import Arrays, Names, Source, keep, kept, source_of
from pipeline.formats.obj_read import read_obj
from pipeline.formats.obj_text import ObjText, parse
from pipeline.records import Mesh

TEXT = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nvn 0 0 1\nusemtl a\nf 1/1/1 2/2/1 3/3/1\n"


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan" / "a.obj"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that was taken apart, in order."""
    seen: list[Path] = []

    def watched(path: Path) -> ObjText:
        seen.append(path)
        return parse(path)

    monkeypatch.setattr(obj_read, "parse", watched)
    return seen


def same(one: Mesh, other: Mesh) -> bool:
    pairs = [(one.vertices, other.vertices), (one.faces, other.faces), (one.uvs, other.uvs),
             (one.face_uvs, other.face_uvs), (one.normals, other.normals)]  # fmt: skip
    return all(
        a is not None and b is not None and a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs
    )


def test_the_second_read_takes_nothing_apart(scan: Path, tmp_path: Path, parsed: list[Path]) -> None:
    first = read_obj(scan, tmp_path / "cache")
    second = read_obj(scan, tmp_path / "cache")
    assert parsed == [scan]
    assert same(first, second)
    assert same(first, read_obj(scan))
    assert second.vertices.flags.writeable


def test_a_changed_source_is_read_again(scan: Path, tmp_path: Path, parsed: list[Path]) -> None:
    state = scan.stat()
    read_obj(scan, tmp_path / "cache")
    scan.write_text(TEXT.replace("v 1 0 0", "v 2 0 0"))
    os.utime(scan, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert read_obj(scan, tmp_path / "cache").vertices[1, 0] == 2
    scan.write_text(TEXT + "\n")
    os.utime(scan, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert read_obj(scan, tmp_path / "cache").vertices[1, 0] == 1
    assert len(parsed) == 3
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_files_of_one_name_do_not_share(scan: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "a.obj"
    other.parent.mkdir()
    other.write_text(TEXT.replace("v 1 0 0", "v 3 0 0"))
    state = scan.stat()
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert read_obj(scan, tmp_path / "cache").vertices[1, 0] == 1
    assert read_obj(other, tmp_path / "cache").vertices[1, 0] == 3
    one, two = (tmp_path / "cache").iterdir()
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    assert read_obj(scan, tmp_path / "cache").vertices[1, 0] == 1


def test_another_form_makes_what_was_kept_stale(
    scan: Path, tmp_path: Path, parsed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_obj(scan, tmp_path / "cache")
    monkeypatch.setattr(obj_read, "_FORM", "obj of tomorrow")
    read_obj(scan, tmp_path / "cache")
    assert len(parsed) == 2


def test_no_damage_is_believed(scan: Path, tmp_path: Path, parsed: list[Path]) -> None:
    good = read_obj(scan, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    damages = [whole[:length] for length in range(0, len(whole), 3)]
    damages += [whole + b"\0", b"", whole.replace(b"scan2k arrays 1", b"scan2k arrays 2")]
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        damages.append(bytes(changed))
    for damaged in damages:
        file.write_bytes(damaged)
        parsed.clear()
        assert same(read_obj(scan, tmp_path / "cache"), good)
        assert parsed == [scan]
        assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("faces", np.array([[0, 1, 3]], dtype=np.int32)),
        ("faces", np.array([[0, 1, -1]], dtype=np.int32)),
        ("faces", np.array([[0.0, 1, 2]], dtype=np.float32)),
        ("face_uvs", np.array([[0, 1, 3]], dtype=np.int32)),
        ("face_uvs", np.zeros((2, 3), dtype=np.int32)),
        ("vertices", np.zeros((3, 2), dtype=np.float32)),
        ("normals", np.zeros((4, 3), dtype=np.float32)),
        ("starts", np.array([7])),
        ("starts", np.array([0, 0])),
        ("uvs", None),
        ("vertices", None),
        ("surprise", np.zeros(3, dtype=np.int32)),
    ],
)
def test_sound_sums_over_nonsense_are_not_believed(
    scan: Path, tmp_path: Path, parsed: list[Path], name: str, value: np.ndarray | None
) -> None:
    cache = tmp_path / "cache"
    good = read_obj(scan, cache)
    source = source_of(scan, obj_read._FORM)
    found = kept(cache, source)
    assert found is not None
    arrays: Arrays = {n: a for n, a in {**found[0], name: value}.items() if a is not None}
    keep(cache, source, arrays, found[1])
    parsed.clear()
    assert same(read_obj(scan, cache), good)
    assert parsed == [scan]


@pytest.mark.parametrize("names", [{}, {"materials": [], "libraries": []}, {"materials": ["a"]}])
def test_names_that_are_missing_are_not_believed(
    scan: Path, tmp_path: Path, parsed: list[Path], names: Names
) -> None:
    cache = tmp_path / "cache"
    read_obj(scan, cache)
    source = source_of(scan, obj_read._FORM)
    found = kept(cache, source)
    assert found is not None
    keep(cache, source, found[0], names)
    read_obj(scan, cache)
    assert len(parsed) == 2


def test_names_of_any_bytes_are_kept(scan: Path, tmp_path: Path) -> None:
    scan.write_bytes(TEXT.encode().replace(b"usemtl a", b"usemtl h\xe4nd \xc3\xa4"))
    read_obj(scan, tmp_path / "cache")
    found = kept(tmp_path / "cache", source_of(scan, obj_read._FORM))
    assert found is not None
    assert found[1]["materials"] == ["h\udce4nd ä"]


def test_a_source_that_changes_while_it_is_read_is_not_kept(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def slow(path: Path) -> ObjText:
        text = parse(path)
        path.write_text(TEXT + "# more\n")
        return text

    monkeypatch.setattr(obj_read, "parse", slow)
    read_obj(scan, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_is_the_requests_fault(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ConfigError, match="no room for parsed meshes here"):
        read_obj(scan, tmp_path / "cache")


def test_empty_arrays_and_every_kind_come_back(tmp_path: Path) -> None:
    source = Source("a", 1, 2, "test")
    arrays: Arrays = {
        "none": np.empty((0, 3), dtype=np.int32),
        "f": np.arange(3, dtype=np.float32),
        "q": np.arange(4, dtype=np.int64).reshape(2, 2),
        "b": np.arange(5, dtype=np.uint8),
    }
    keep(tmp_path, source, arrays, {})
    found = mesh_cache.kept(tmp_path, source)
    assert found is not None
    assert list(found[0]) == list(arrays)
    for name, array in arrays.items():
        assert found[0][name].dtype == array.dtype
        np.testing.assert_array_equal(found[0][name], array)
