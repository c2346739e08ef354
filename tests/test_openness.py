"""The kept openness of a scan: found once, the same when read back, never believed when damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.formats.openness import kept_openness
from pipeline.records import F32, Mesh

TRIANGLE = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], dtype=np.int32))
SEEN = np.array([0.0, 0.33, 1.0], dtype=np.float32)


class Finder:
    """Says what is seen, and counts how often it is asked."""

    def __init__(self, answer: F32 = SEEN) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self) -> F32:
        self.asked += 1
        return self.answer


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_it_is_found_once_and_read_back_the_same(tmp_path: Path) -> None:
    find = Finder()
    first = kept_openness(tmp_path / "made", TRIANGLE, "method", find)
    again = kept_openness(tmp_path / "made", TRIANGLE, "method", find)
    assert find.asked == 1
    assert first.dtype == again.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, SEEN, atol=0.5 / 255)


def test_paint_does_not_matter(tmp_path: Path) -> None:
    find = Finder()
    kept_openness(tmp_path, TRIANGLE, "method", find)
    kept_openness(tmp_path, replace(TRIANGLE, colors=np.zeros((3, 3), np.uint8)), "method", find)
    assert find.asked == 1


@pytest.mark.parametrize(
    ("mesh", "method"),
    [
        (TRIANGLE, "another method"),
        (replace(TRIANGLE, vertices=TRIANGLE.vertices * np.float32(1.001)), "method"),
        (replace(TRIANGLE, faces=TRIANGLE.faces[:, ::-1]), "method"),
    ],
)
def test_another_mesh_or_method_is_found_anew(tmp_path: Path, mesh: Mesh, method: str) -> None:
    kept_openness(tmp_path, TRIANGLE, "method", Finder())
    find = Finder(SEEN[::-1])
    assert kept_openness(tmp_path, mesh, method, find)[0] == 1
    assert find.asked == 1


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut short": lambda content: content[:-1],
    "too long": lambda content: content + bytes(1 << 20),
    "one bit": lambda content: content[:-6] + bytes([content[-6] ^ 1]) + content[-5:],
    "another type": lambda content: content.replace(b"|u1", b"|i1"),
    "another shape": lambda content: content.replace(b"(7,)", b"(1,)"),
    "a pickle": lambda content: b"cos\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    find = Finder()
    expected = kept_openness(tmp_path, TRIANGLE, "method", find)
    path = only_file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(DAMAGE[damage](whole))
    assert path.read_bytes() != whole
    np.testing.assert_array_equal(kept_openness(tmp_path, TRIANGLE, "method", find), expected)
    assert find.asked == 2
    assert only_file(tmp_path).read_bytes() == whole


def test_where_nothing_can_be_kept_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"file: no room for openness here"):
        kept_openness(tmp_path / "file", TRIANGLE, "method", Finder())
