"""People before one colour: found whole, holes and all; and which silhouette of several is the person's."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.geometry.backdrop import plain_backdrop
from pipeline.geometry.silhouette import chosen, cut_sides
from pipeline.records import U8, Bool

ROWS, COLUMNS = np.indices((300, 200))
BODY: Bool = ((ROWS - 160) / 120.0) ** 2 + ((COLUMNS - 100) / 60.0) ** 2 < 1
HOLE: Bool = (abs(ROWS - 160) < 15) & (abs(COLUMNS - 100) < 10)
PERSON: Bool = BODY & ~HOLE
CLOTHES: U8 = np.random.default_rng(5).integers(60, 200, (300, 200, 3), dtype=np.uint8)


def before(color: tuple[int, int, int], mask: Bool = PERSON, clothes: U8 = CLOTHES) -> U8:
    return np.where(mask[..., None], clothes, np.array(color, np.uint8))


def compressed(picture: U8, quality: int) -> U8:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream))


def mask_of(picture: U8) -> Bool:
    found = plain_backdrop(picture).mask
    assert found is not None
    return found


def overlap(found: Bool, mask: Bool) -> float:
    return float((found & mask).sum() / (found | mask).sum())


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (20, 200, 40)])
def test_a_person_before_one_colour_is_found_to_the_pixel(color: tuple[int, int, int]) -> None:
    found = plain_backdrop(before(color))
    assert (found.color, found.spread) == (color, 0)
    assert np.array_equal(mask_of(before(color)), PERSON)


@pytest.mark.parametrize("quality", [95, 75, 50])
@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255)])
def test_what_compression_does_to_a_backdrop_is_backdrop(color: tuple[int, int, int], quality: int) -> None:
    clothes = np.full_like(CLOTHES, (120, 100, 80))
    found = mask_of(compressed(before(color, clothes=clothes), quality))
    assert overlap(found, PERSON) > 0.96


def test_a_backdrop_of_a_little_noise_is_plain() -> None:
    noise = np.random.default_rng(6).normal(0, 4, PERSON.shape)[..., None]
    picture = np.where(PERSON[..., None], (120, 60, 40), 200 + noise).clip(0, 255).astype(np.uint8)
    found = plain_backdrop(picture)
    assert 0 < found.spread < 12
    assert overlap(mask_of(picture), PERSON) > 0.98


def test_dark_clothes_before_black_stay_as_long_as_nothing_was_compressed() -> None:
    dark = np.full_like(CLOTHES, 5)
    assert np.array_equal(mask_of(before((0, 0, 0), clothes=dark)), PERSON)


def test_the_backdrop_s_colour_within_a_person_stays_where_it_is_small_or_only_alike() -> None:
    picture = before((255, 255, 255), BODY)
    picture[150:153, 100:103] = 255  # an eye
    picture[200:240, 80:120] = np.random.default_rng(7).integers(235, 250, (40, 40, 3))  # a shirt
    assert np.array_equal(mask_of(picture), BODY)


def test_what_is_enclosed_and_only_like_the_backdrop_stays() -> None:
    picture = before((255, 255, 255), BODY)
    picture[200:240, 80:120] = 253
    assert np.array_equal(mask_of(picture), BODY)


def test_a_person_who_is_cut_off_is_found_too() -> None:
    picture = before((255, 255, 255))[:200]
    assert np.array_equal(mask_of(picture), PERSON[:200])


def test_a_border_of_many_colours_is_not_plain_and_says_how_much() -> None:
    found = plain_backdrop(np.where(PERSON[..., None], 0, CLOTHES).astype(np.uint8))
    assert found.mask is None
    assert found.spread > 12


TWO = np.zeros((100, 200), dtype=np.bool_)
TWO[10:90, 20:50], TWO[20:80, 120:150], TWO[5:8, 90:93] = True, True, True


def test_of_two_people_the_larger_is_taken_and_both_are_counted() -> None:
    person, people = chosen(TWO)
    assert people == 2
    assert person[:, :60].sum() == 80 * 30
    assert not person[:, 115:].any()


def test_of_two_people_the_one_with_the_keypoints_is_taken() -> None:
    person, people = chosen(TWO, np.array([[130.0, 50.0], [125.0, 30.0], [30.0, 50.0], [-5.0, 900.0]]))
    assert people == 2
    assert person[:, 115:].sum() == 60 * 30
    assert not person[:, :60].any()


def test_what_a_person_holds_stays_and_specks_go() -> None:
    mask = np.zeros((100, 100), dtype=np.bool_)
    mask[10:90, 20:60] = True
    mask[40:50, 70:75] = True  # what is held
    mask[5, 5] = True
    person, people = chosen(mask)
    assert people == 1
    assert person.sum() == 80 * 40 + 50


def test_what_touches_by_a_corner_is_one_person() -> None:
    mask = np.zeros((40, 40), dtype=np.bool_)
    mask[5:20, 5:20], mask[20:35, 20:35] = True, True
    person, people = chosen(mask)
    assert people == 1
    assert np.array_equal(person, mask)


def test_nobody_is_nobody() -> None:
    person, people = chosen(np.zeros((9, 9), np.bool_))
    assert not person.any()
    assert people == 0


def test_sides_that_cut_are_named_and_others_are_not() -> None:
    assert cut_sides(PERSON) == ()
    assert cut_sides(PERSON[:200]) == ("bottom",)
    assert cut_sides(PERSON[60:, 50:]) == ("left", "top")
    assert cut_sides(PERSON[:, :150]) == ("right",)
