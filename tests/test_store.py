from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.atomic import replacing, require_writable, write_bytes, write_text
from pipeline.config import ORTHOGRAPHIC
from pipeline.errors import ConfigError
from pipeline.store import (
    DEPTH,
    NORMAL,
    SHADED,
    UNSHADED,
    Picture,
    Workspace,
    degrees_text,
)


def test_places_are_those_of_the_published_code(tmp_path: Path) -> None:
    work = Workspace(tmp_path, "2K2K")
    assert work.view(0.0, -30.0) == "2K2K_0_y_-30_x"
    view = work.view(0, 10)
    for picture, place in (
        (Picture(SHADED, "front"), "PERS/COLOR/SHADED/{}_front.png"),
        (Picture(UNSHADED, "back"), "PERS/COLOR/NOSHADING/{}_back.png"),
        (Picture(DEPTH, "front", "exr"), "PERS/DEPTH/{}_front.exr"),
        (Picture(NORMAL, "back", projection=ORTHOGRAPHIC), "ORTH/NORMAL/{}_back.png"),
    ):
        assert picture.path(view, "00003") == place.format("2K2K_0_y_10_x/00003")
    assert work.list_file("all") == tmp_path / "list" / "2K2K_all.txt"
    assert work.scans == tmp_path / "obj" / "2K2K"
    assert work.logs == tmp_path / "logs" / "2K2K"


@pytest.mark.parametrize(
    ("angle", "text"), [(0.0, "0"), (-0.0, "0"), (-30.0, "-30"), (2.5, "2.5"), (100.0, "100"), (-1e-9, "0")]
)
def test_angles_are_written_the_shortest_way(angle: float, text: str) -> None:
    assert degrees_text(angle) == text


def test_a_data_folder_is_made(tmp_path: Path) -> None:
    require_writable(tmp_path / "deep" / "data")
    assert list((tmp_path / "deep" / "data").iterdir()) == []


def test_a_data_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file.*cannot be written") as caught:
        require_writable(tmp_path / "file" / "data")
    assert "\n" not in str(caught.value)


def test_a_file_lands_whole_in_a_new_folder(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b.bin", b"whole")
    write_text(tmp_path / "a" / "c.txt", "grün\n")
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"whole"
    assert (tmp_path / "a" / "c.txt").read_bytes() == "grün\n".encode()


def test_a_durable_file_reaches_the_disk_before_its_name_and_its_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "a.bin", []

    def note(handle: int) -> None:
        synced.append((Path(f"/proc/self/fd/{handle}").readlink() == tmp_path, path.exists()))

    monkeypatch.setattr("os.fsync", note)
    monkeypatch.setattr("os.fdatasync", note)
    with replacing(path, durable=True) as stream:
        stream.write(b"whole")
    assert synced == [(False, False), (True, True)]
    with replacing(path) as stream:
        stream.write(b"again")
    assert len(synced) == 2
    path.unlink()
    write_bytes(path, b"whole", filled=True)
    assert synced[2:] == [(False, False)]


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("x" * 255), b"")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError, SystemExit])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(interruption), replacing(path) as stream:
        stream.write(b"ne")
        raise interruption
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    assert path.read_bytes() == b"old"
