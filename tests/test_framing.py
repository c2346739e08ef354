"""The square in which a photographed person is shown: where it lies, what moves it, how it is made."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import FormatError
from pipeline.geometry.camera import portrait_camera, project
from pipeline.geometry.framing import SIDE_BY_TORSO, Frame, frame_of_mask, frame_of_torso
from pipeline.geometry.keypoints import NAMES
from pipeline.geometry.resample import Box, resampled, stretched
from pipeline.geometry.transform import FILL
from pipeline.records import F32, F64, U8, Bool

RANDOM = np.random.default_rng(3)
PICTURE: U8 = RANDOM.integers(0, 256, (40, 60, 3), dtype=np.uint8)


def person(height: int = 400, width: int = 200) -> Bool:
    """A silhouette that is alike from no two sides."""
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[30:380, 60:110] = True
    mask[60:90, 60:170] = True
    return mask


def slow(picture: U8, box: Box, shape: tuple[int, int]) -> F64:
    """Every pixel of a box by itself: means by a triangle over all pixels near, black outside."""
    made = np.zeros((*shape, picture.shape[2]))
    steps = box.height / shape[0], box.width / shape[1]
    for i in range(shape[0]):
        for j in range(shape[1]):
            at = box.top + (i + 0.5) * steps[0], box.left + (j + 0.5) * steps[1]
            total = 0.0
            for y in range(int(at[0] - steps[0]) - 3, int(at[0] + steps[0]) + 4):
                for x in range(int(at[1] - steps[1]) - 3, int(at[1] + steps[1]) + 4):
                    down = max(0.0, 1 - abs(y + 0.5 - at[0]) / max(steps[0], 1))
                    across = max(0.0, 1 - abs(x + 0.5 - at[1]) / max(steps[1], 1))
                    total += down * across
                    if 0 <= y < picture.shape[0] and 0 <= x < picture.shape[1]:
                        made[i, j] += down * across * picture[y, x]
            made[i, j] /= total
    return made


BOXES = [
    Box(0, 0, 60, 40), Box(3.3, 2.7, 20.5, 30.1), Box(-20.2, -5.5, 90.0, 61.0), Box(10, 10, 4, 3),
    Box(50, 30, 30, 30),
]  # fmt: skip


@pytest.mark.parametrize("box", BOXES)
def test_resampling_is_what_a_slow_sum_over_pixels_gives(box: Box) -> None:
    assert np.allclose(resampled(PICTURE, box, (13, 17)), slow(PICTURE, box, (13, 17)), atol=1e-3)


@pytest.mark.parametrize("shape", [(20, 30), (13, 7), (90, 70)])
def test_a_whole_picture_is_resampled_as_pillow_does(shape: tuple[int, int]) -> None:
    found = stretched(PICTURE[..., :1].astype(np.float32), shape)[..., 0]
    image = Image.fromarray(PICTURE[..., 0].astype(np.float32))
    wanted: F32 = np.asarray(image.resize(shape[::-1], Image.Resampling.BILINEAR))
    assert np.allclose(found, wanted, atol=1e-3)


def test_a_box_of_whole_pixels_at_its_own_size_is_a_copy() -> None:
    found = resampled(PICTURE, Box(-3, 5, 30, 20), (20, 30))
    assert np.array_equal(found[:, 3:], PICTURE[5:25, :27])
    assert not found[:, :3].any()


def test_a_picture_that_a_box_does_not_touch_leaves_it_black() -> None:
    assert not resampled(PICTURE, Box(500, 500, 20, 20), (5, 5)).any()


def test_weights_count_as_if_the_picture_had_been_multiplied_by_them() -> None:
    weight = RANDOM.integers(0, 256, (40, 60), dtype=np.uint8)
    product = PICTURE.astype(np.float32) * weight[..., None] / 255
    box = Box(-2.5, 1.5, 47, 31)
    assert np.allclose(
        resampled(PICTURE, box, (9, 12), weight), resampled(product, box, (9, 12)), atol=1e-3
    )


@pytest.mark.parametrize("frame", [Frame(-37, 12, 817, 2048), Frame(5, -900, 6001, 256), Frame(0, 0, 7, 7)])
def test_places_go_to_the_model_and_back(frame: Frame) -> None:
    places = RANDOM.uniform(-1e4, 1e4, (50, 2))
    assert np.allclose(frame.to_photo(frame.to_model(places)), places, rtol=0, atol=1e-8)
    corners = np.array([[frame.left, frame.top], [frame.left + frame.side, frame.top + frame.side]])
    assert np.allclose(frame.to_model(corners), [[0, 0], [frame.size, frame.size]])


def test_a_mark_in_a_photo_is_seen_where_the_frame_says() -> None:
    photo = np.zeros((300, 200, 1), dtype=np.uint8)
    photo[100:104, 40:44] = 255  # about (42, 102)
    for frame in (Frame(-10, 20, 250, 500), Frame(-100, -50, 400, 160)):
        seen = resampled(photo, frame.box, (frame.size, frame.size))[..., 0]
        rows, columns = np.indices(seen.shape) + 0.5
        middle = np.array([[(seen * columns).sum(), (seen * rows).sum()]]) / seen.sum()
        assert np.allclose(frame.to_photo(middle), [[42, 102]], atol=0.02)


@pytest.mark.parametrize("frame", [Frame(-6, -4, 90, 360), Frame(-5, -20, 70, 70), Frame(-6, -4, 90, 45)])
def test_what_was_framed_comes_back_to_the_photo_s_pixels(frame: Frame) -> None:
    rows, columns = np.indices((40, 60))
    slope = (100 + 2 * rows + columns).astype(np.float32)[..., None]
    seen = resampled(slope, frame.box, (frame.size, frame.size))
    back = resampled(seen, frame.box_of((40, 60)), (40, 60))
    assert np.allclose(back[3:-3, 3:-3], slope[3:-3, 3:-3], atol=1e-3)


@pytest.mark.parametrize(("above", "left"), [(0, 1), (17, 230), (1000, 3)])
def test_room_around_a_person_moves_the_frame_and_changes_nothing(above: int, left: int) -> None:
    mask = person()
    plain, moved = frame_of_mask(mask, 2048), frame_of_mask(np.pad(mask, ((above, 9), (left, 4))), 2048)
    assert moved == Frame(plain.left + left, plain.top + above, plain.side, plain.size)


@pytest.mark.parametrize("times", [2, 3, 7])
def test_a_larger_photo_has_the_same_frame_in_its_own_pixels(times: int) -> None:
    small, large = (
        frame_of_mask(person(), 512),
        frame_of_mask(person().repeat(times, 0).repeat(times, 1), 512),
    )
    assert abs(large.side - times * small.side) <= times / 2 + 0.5
    assert abs(large.left - times * small.left) <= times + 1
    assert abs(large.top - times * small.top) <= times + 1


def test_a_mirrored_photo_has_the_mirrored_frame() -> None:
    mask = person()
    plain, mirrored = frame_of_mask(mask, 512), frame_of_mask(mask[:, ::-1], 512)
    assert plain.side == mirrored.side
    assert abs(mirrored.left - (mask.shape[1] - plain.left - plain.side)) <= 1


def test_a_standing_body_is_framed_as_the_camera_of_training_sees_it() -> None:
    """A flat figure, symmetric about its centre, as tall as the normalisation lets it be."""
    camera = portrait_camera(1024)
    corners = np.array([[-0.1, -1 / FILL, 0], [0.1, 1 / FILL, 0]])
    (left, bottom), (right, top) = project(corners, camera)[:, :2]
    mask = np.zeros((1024, 1024), dtype=np.bool_)
    mask[round(top) : round(bottom), round(left) : round(right)] = True
    frame = frame_of_mask(mask, 1024)
    assert abs(frame.side / 1024 - 1) < 0.03
    assert np.allclose(frame.to_model(np.array([[512.0, 512.0]])), 512, atol=2)


def test_a_rectangle_lies_in_the_middle_of_its_frame_to_the_pixel() -> None:
    mask = np.zeros((50, 40), dtype=np.bool_)
    mask[10:30, 5:15] = True  # its centre is (10, 20), and 1.274 times its height 25
    assert frame_of_mask(mask, 64) == Frame(-2, 8, 25, 64)


def test_a_mask_of_nobody_has_no_frame() -> None:
    with pytest.raises(FormatError, match="nobody"):
        frame_of_mask(np.zeros((5, 5), np.bool_), 64)


def torso(uv: dict[str, tuple[float, float]]) -> tuple[F64, Bool]:
    places, valid = np.zeros((31, 2)), np.zeros(31, dtype=np.bool_)
    for name, place in uv.items():
        places[NAMES.index(name)], valid[NAMES.index(name)] = place, True
    return places, valid


STANDING = {
    "left shoulder": (120.0, 100.0), "right shoulder": (80.0, 100.0),
    "left hip": (115.0, 200.0), "right hip": (85.0, 200.0),
}  # fmt: skip


def test_a_torso_fixes_a_frame_about_its_lower_end() -> None:
    frame = frame_of_torso(*torso(STANDING), 2048)
    assert frame is not None
    assert frame.side == round(SIDE_BY_TORSO * 100)
    middle = frame.to_photo(np.array([[1024.0, 1024.0]]))[0]
    assert np.allclose(middle, (100, 207), atol=0.5)


@pytest.mark.parametrize("name", STANDING)
def test_a_torso_that_is_not_known_fixes_none(name: str) -> None:
    known = {other: place for other, place in STANDING.items() if other != name}
    assert frame_of_torso(*torso(known), 2048) is None
    assert frame_of_torso(*torso(dict.fromkeys(STANDING, (5.0, 5.0))), 2048) is None
