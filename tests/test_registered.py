"""Registered bodies, in both forms that the layouts have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import FormatError
from pipeline.formats.obj import write_obj
from pipeline.formats.registered import read_registered
from pipeline.records import Mesh

VERTICES = np.random.default_rng(0).normal(size=(10475, 3)).astype(np.float32)
FACES = np.arange(30, dtype=np.int32).reshape(10, 3)


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    write_obj(tmp_path / "a.obj", Mesh(VERTICES, FACES))
    np.savez(tmp_path / "a.npz", vertices=VERTICES, faces=FACES)
    assert np.array_equal(read_registered(tmp_path / "a.npz"), VERTICES)
    assert np.allclose(read_registered(tmp_path / "a.obj"), VERTICES, atol=1e-6)
    assert read_registered(tmp_path / "a.npz").dtype == np.float32


def test_what_is_no_body_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for arrays, said in (
        ({"faces": FACES}, "has no vertices"),
        ({"vertices": VERTICES[:-1]}, "vertices has 31422 numbers; 31425"),
        ({"vertices": VERTICES * np.float32("nan")}, "vertices has 31425 numbers, 0 of them"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(FormatError, match=f"a.npz: {said}"):
            read_registered(path)
    path.write_bytes(b"PK")
    with pytest.raises(FormatError, match="not a readable NPZ"):
        read_registered(path)
