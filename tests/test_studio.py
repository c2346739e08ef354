"""The studio draws what is wanted, the same bytes whatever else is wanted, and leaves the rest as it is."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from drawing import bumpy

from pipeline.config import PASSES, PROJECTIONS, RenderRequest
from pipeline.errors import ConfigError, MeshError
from pipeline.formats.image import write_image
from pipeline.keys import Keys
from pipeline.records import U8, Alignment, Frame, Mesh, Subject, Window
from pipeline.render.devices import pick_device
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer
from pipeline.rows import FILES, Drawing, DrawnView, Place
from pipeline.stages import render as stage
from pipeline.stages.render import Studio
from pipeline.store import Workspace

SIZE = 48
MESH = bumpy(4)
SUBJECT = Subject("2K2K", "00003", "train")
ALIGNED = Alignment((0.0, 0.0, 0.0), 1.2, 0.1, "test")
IMAGES = frozenset(FILES) - {"keypoints_file"}
SUBSETS: dict[str, Collection[str]] = {
    "one of two sides": ["color_back"],
    "light alone": ["shaded_front"],
    "no light": ["color_front", "color_back", "depth_front", "depth_back"],
    "geometry": ["depth_back", "normal_front", "normal_back", "mask"],
    "both shades": {"shaded_front", "shaded_back", "keypoints_file", "overlay"},
    "everything": IMAGES,
}
Wanted = Mapping[Place, Collection[str]]


def asked(data: Path, **changes: object) -> RenderRequest:
    wish: dict[str, object] = {"yaws": (-30.0, 140.0), "pitches": (0.0, 20.0), "size": SIZE} | changes
    return RenderRequest("2K2K", data, passes=PASSES, projections=PROJECTIONS, **wish)  # type: ignore[arg-type]


def places(request: RenderRequest) -> tuple[Place, ...]:
    return Keys(request, Workspace(request.data, "2K2K")).places


def draw(request: RenderRequest, wanted: Wanted, studio: Studio | None = None) -> Drawing:
    with studio or Studio(Workspace(request.data, "2K2K"), request) as opened:
        return opened.run(MESH, SUBJECT, ALIGNED, wanted, "a scan")


def contents(data: Path) -> dict[str, bytes]:
    """Every file that is there."""
    return {str(p.relative_to(data)): p.read_bytes() for p in sorted(data.rglob("*")) if p.is_file()}


def named(drawing: Drawing) -> dict[tuple[str, str], DrawnView]:
    return {(view.view, view.projection): view for view in drawing.views}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Drawing]:
    """All files of all places, and what is said of them."""
    data = tmp_path_factory.mktemp("whole")
    request = asked(data)
    drawing = draw(request, dict.fromkeys(places(request), IMAGES))
    assert len(drawing.views) == 8 and {len(view.files) for view in drawing.views} == {9}
    return contents(data), drawing


@pytest.mark.parametrize("columns", SUBSETS.values(), ids=SUBSETS)
def test_any_subset_has_the_bytes_of_a_full_drawing(
    tmp_path: Path, whole: tuple[dict[str, bytes], Drawing], columns: Collection[str]
) -> None:
    request = asked(tmp_path)
    drawing = draw(request, dict.fromkeys(places(request), columns))
    every, full = whole
    files = {file.path: file for view in drawing.views for file in view.files}
    assert contents(tmp_path) == {path: every[path] for path in files}
    assert {file.column for file in files.values()} == IMAGES & set(columns)
    said = named(full)
    for (name, projection), view in named(drawing).items():
        same = said[name, projection]
        kept = tuple(file for file in same.files if file.column in columns)
        assert view == replace(same, files=kept)


def test_places_may_want_different_images_or_none(
    tmp_path: Path, whole: tuple[dict[str, bytes], Drawing]
) -> None:
    request = asked(tmp_path)
    every, full = whole
    first, second, third, *_, last = places(request)
    wanted: Wanted = {last: ["mask"], third: [], second: IMAGES, first: ["keypoints_file", "overlay"]}
    drawing = draw(request, wanted)
    assert [(view.view, view.projection) for view in drawing.views] == [
        (last.view, "orthographic"), (second.view, "perspective"),
    ]  # fmt: skip
    assert [len(view.files) for view in drawing.views] == [1, 9]
    assert all(view.box == named(full)[view.view, view.projection].box for view in drawing.views)
    made = contents(tmp_path)
    assert len(made) == 10 and made == {path: every[path] for path in made}


def test_what_is_not_wanted_is_not_touched(tmp_path: Path) -> None:
    request = asked(tmp_path)
    draw(request, dict.fromkeys(places(request), IMAGES))
    times = {path: (tmp_path / path).stat().st_mtime_ns for path in contents(tmp_path)}
    spoilt = next(path for path in times if "DEPTH" in path)
    (tmp_path / spoilt).write_bytes(b"not a picture")
    before = contents(tmp_path)
    dark = replace(request, seed=1)
    drawing = draw(dark, dict.fromkeys(places(dark)[:3], ("shaded_front",)))
    made = {file.path for view in drawing.views for file in view.files}
    assert len(made) == 3
    for path, content in contents(tmp_path).items():
        is_new = (tmp_path / path).stat().st_mtime_ns > times[path]
        assert is_new == (path in made or path == spoilt)
        assert (content != before[path]) == (path in made)


def test_gl_is_not_touched_where_nothing_is_to_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*given: object) -> None:
        pytest.fail("GL was asked")

    monkeypatch.setattr(stage, "pick_device", forbidden)
    monkeypatch.setattr(stage, "Renderer", forbidden)
    request = asked(tmp_path)
    for wanted in ({}, dict.fromkeys(places(request), ("keypoints_file",))):
        assert draw(request, wanted) == Drawing(len(MESH.vertices), len(MESH.faces), ())
    assert not contents(tmp_path)


def test_a_worker_draws_on_the_device_that_is_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []

    def watched(wish: int | None, turn: int) -> object:
        turns.append((wish, turn))
        return pick_device(wish)

    monkeypatch.setattr(stage, "pick_device", watched)
    monkeypatch.setattr(stage, "claim_turn", lambda: 5)
    request = asked(tmp_path)
    studio = Studio(Workspace(tmp_path, "2K2K"), request)
    draw(request, {places(request)[0]: ["mask"]}, studio)
    assert turns == [(None, 5)]


def test_renderers_are_kept_from_scan_to_scan_and_at_most_two_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    living: list[frozenset[str]] = []
    opened: list[frozenset[str]] = []

    class Watched(Renderer):
        def __init__(self, size: int, layers: Collection[Layer], device: int | None = None) -> None:
            super().__init__(size, layers, device)
            self.kinds = frozenset(layer.kind for layer in layers)

        def __enter__(self) -> Watched:
            living.append(self.kinds)
            opened.append(self.kinds)
            assert len(living) <= 2
            return super().__enter__()

        def __exit__(self, *why: object) -> None:
            living.remove(self.kinds)
            super().__exit__(None, None, None)

    monkeypatch.setattr(stage, "Renderer", Watched)
    request = asked(tmp_path)
    place = places(request)[0]
    with Studio(Workspace(tmp_path, "2K2K"), request) as studio:
        for word in ("mask", "color", "mask", "depth", "mask", "color"):
            column = word if word == "mask" else f"{word}_front"
            studio.run(MESH, SUBJECT, ALIGNED, {place: [column]}, "a scan")
    names = [name for (name,) in opened]
    assert names == ["mask", "color", "depth", "color"]
    assert not living


def test_openness_is_found_for_what_is_shaded_alone(tmp_path: Path) -> None:
    request = asked(tmp_path, occlusion=True)
    draw(request, {places(request)[0]: ["color_front", "mask"]})
    assert not (tmp_path / "cache").exists()
    draw(request, {places(request)[0]: ["shaded_front"]})
    assert len(list((tmp_path / "cache" / "openness").iterdir())) == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MeshError, MemoryError])
def test_an_end_in_the_middle_leaves_whole_files_and_no_thread(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: tuple[dict[str, bytes], Drawing],
    kind: type[BaseException],
) -> None:
    """And, where the studio goes on, nothing that the next scan could meet."""
    frames, threads = Studio._frames, threading.active_count()

    def cut_short(*given: object) -> Iterator[Frame]:
        yield from islice(frames(*given), 4)  # type: ignore[arg-type]
        raise kind

    request = asked(tmp_path)
    wanted = dict.fromkeys(places(request), IMAGES)
    with Studio(Workspace(tmp_path, "2K2K"), request) as studio:
        with monkeypatch.context() as patch:
            patch.setattr(Studio, "_frames", cut_short)
            with pytest.raises(kind):
                studio.run(MESH, SUBJECT, ALIGNED, wanted, "a scan")
        left = contents(tmp_path)
        assert 9 <= len(left) <= 36 and left == {path: whole[0][path] for path in left}
        assert named(draw(request, wanted, studio)) == named(whole[1])
    assert threading.active_count() == threads


def test_a_file_that_cannot_be_written_stops_the_scan_and_leaves_the_others_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[dict[str, bytes], Drawing]
) -> None:
    def full(path: Path, pixels: U8, window: Window) -> bytes:
        if "DEPTH" in path.parts:
            raise OSError(28, "No space left on device", str(path))
        return write_image(path, pixels, window)

    monkeypatch.setattr(stage, "write_image", full)
    request = asked(tmp_path)
    with pytest.raises(ConfigError, match=r"cannot write .*DEPTH.*: No space left on device"):
        draw(request, dict.fromkeys(places(request), IMAGES))
    left = contents(tmp_path)
    assert left == {path: whole[0][path] for path in left}


def test_a_scan_that_cannot_be_drawn_is_refused_and_the_next_is_not(tmp_path: Path) -> None:
    request = asked(tmp_path)
    wanted: Wanted = {places(request)[0]: ["color_front"]}
    bare = Mesh(MESH.vertices, MESH.faces)
    with Studio(Workspace(tmp_path, "2K2K"), request) as studio:
        with pytest.raises(MeshError, match="no colours"):
            studio.run(bare, SUBJECT, ALIGNED, wanted, "a scan")
        assert not contents(tmp_path)
        assert len(studio.run(MESH, SUBJECT, ALIGNED, wanted, "a scan").views) == 1
