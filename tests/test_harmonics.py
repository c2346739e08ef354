from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.errors import FormatError
from pipeline.formats.harmonics import read_harmonics


def save(folder: Path, array: npt.ArrayLike) -> Path:
    path = folder / "env_sh.npy"
    np.save(path, array, allow_pickle=True)
    return path


def lights(count: int) -> npt.NDArray[np.float64]:
    values = np.random.default_rng(1).normal(size=(count, 9, 3))
    values[:, 0] = np.abs(values[:, 0])
    return values


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_lights_are_read_as_they_stand(tmp_path: Path, kind: str, order: str) -> None:
    stored = np.asarray(lights(5), dtype=kind, order="F" if order == "F" else "C")
    read = read_harmonics(save(tmp_path, stored))
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read, stored.astype(np.float64))


def test_one_light_and_grey_lights_are_lights(tmp_path: Path) -> None:
    many = lights(9)
    np.testing.assert_array_equal(read_harmonics(save(tmp_path, many[0])), many[:1])
    grey = many[:, :, 1]  # nine by nine: grey lights, one a row
    for channel in np.moveaxis(read_harmonics(save(tmp_path, grey)), -1, 0):
        np.testing.assert_array_equal(channel, grey)


@pytest.mark.parametrize("shape", [(4, 3, 9), (4, 27), (27,), (9,), (), (2, 4, 9, 3), (4, 16, 3)])
def test_other_shapes_are_refused_with_the_right_one(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(FormatError, match=r"env_sh.npy: is \(.*\(K, 9, 3\).*xx-yy"):
        read_harmonics(save(tmp_path, np.ones(shape)))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e7])
def test_numbers_that_are_no_light_are_refused(tmp_path: Path, number: float) -> None:
    bad = lights(5)
    bad[3, 7, 1] = number
    with pytest.raises(FormatError, match="light 3 has numbers that are not finite"):
        read_harmonics(save(tmp_path, bad))


@pytest.mark.parametrize("number", [0.0, -0.5])
def test_a_light_without_light_is_refused(tmp_path: Path, number: float) -> None:
    bad = lights(5)
    bad[2, 0, 2] = number
    with pytest.raises(FormatError, match="light 2 begins with"):
        read_harmonics(save(tmp_path, bad))


def test_no_lights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="has no lights"):
        read_harmonics(save(tmp_path, np.zeros((0, 9, 3))))


class _Calls:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("made-by-a-light",)


def test_pickles_are_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in ([_Calls()], [1, 2, None], [{"sh": 1}]):
        with pytest.raises(FormatError, match=r"env_sh.npy: "):
            read_harmonics(save(tmp_path, np.array(content, dtype=object)))
    assert not (tmp_path / "made-by-a-light").exists()


@pytest.mark.parametrize("kind", [np.bool_, np.complex128])
def test_arrays_of_other_things_are_refused(tmp_path: Path, kind: type) -> None:
    with pytest.raises(FormatError):
        read_harmonics(save(tmp_path, np.ones((2, 9, 3), dtype=kind)))


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    whole = save(tmp_path, lights(2)).read_bytes()
    for end in range(0, len(whole), 7):
        (tmp_path / "cut.npy").write_bytes(whole[:end])
        with pytest.raises(FormatError, match=r"cut\.npy"):
            read_harmonics(tmp_path / "cut.npy")


def test_a_file_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"over 4,194,304"):
        read_harmonics(save(tmp_path, lights(30_000)))


def test_a_file_that_is_not_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"nowhere.npy"):
        read_harmonics(tmp_path / "nowhere.npy")
