"""Synthetic people as solids: who they are, what they wear, and that layers stay over each other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.records import F32
from pipeline.synth import anatomy, clothes, fabric, folds, hand, person
from pipeline.synth.figure import figure_of
from pipeline.synth.person import POSES_DRAWN
from pipeline.synth.skeleton import FLOOR, REST
from pipeline.synth.solids import mirrored
from pipeline.synth.surface import extract
from pipeline.synth.traits import Garment, Traits

DOZEN = [person.draw(3, index) for index in range(12)]
TSHIRT = Garment("tshirt", (0.9, 0.2, 0.2))
SHIRT = Garment("shirt", (0.9, 0.2, 0.2))
COAT = Garment("coat", (0.3, 0.3, 0.3))
TROUSERS = Garment("trousers", (0.2, 0.2, 0.2))
SKIRT = Garment("skirt", (0.2, 0.2, 0.2))


def scattered(count: int, low: tuple[float, ...], high: tuple[float, ...]) -> F32:
    """Points (3, N) spread over a box given above the floor."""
    points = np.random.default_rng(1).uniform(low, high, (count, 3)).astype(np.float32)
    points[:, 1] += np.float32(FLOOR)
    return np.ascontiguousarray(points.T)


def on_surface(traits: Traits, count: int = 40_000) -> F32:
    """Points (3, N) within half a millimetre of a person's surface at rest."""
    figure = figure_of(traits)
    points = scattered(count, (-0.5, 0.1, -0.3), (0.5, 1.75, 0.3))
    for _ in range(8):
        distance = figure.distance(points)
        points = points[:, np.abs(distance) < 0.06]
        step = np.float32(1e-3)
        here = figure.distance(points)
        slope = np.stack(
            [figure.distance(points + step * axis[:, None]) - here for axis in np.eye(3, dtype=np.float32)]
        )
        points = np.asarray(points - slope / step * here * np.float32(0.7), dtype=np.float32)
    return np.ascontiguousarray(points[:, np.abs(figure.distance(points)) < 5e-4])


def test_draw_gives_the_same_person_for_the_same_seed_and_others_for_other_seeds() -> None:
    assert person.draw(7, 4) == person.draw(7, 4)
    assert len({person.draw(seed, index) for seed in range(4) for index in range(4)}) == 16


def test_a_dozen_people_show_every_pose_both_sexes_and_every_kind_of_clothing() -> None:
    assert {t.pose for t in DOZEN} == set(POSES_DRAWN)
    assert sum(t.woman for t in DOZEN) == 6
    worn = {g.kind for t in DOZEN for g in t.garments}
    assert {"tshirt", "shirt", "trousers", "shorts", "skirt", "coat"} <= worn


def test_nobody_is_drawn_without_top_bottom_and_shoes() -> None:
    for index in range(60):
        kinds = [g.kind for g in person.draw(11, index).garments]
        assert sum(kind in clothes.TOPS[:2] for kind in kinds) == 1
        assert sum(kind in clothes.BOTTOMS for kind in kinds) == 1
        assert len(kinds) == len(set(kinds)) >= 3


def test_betas_lean_with_the_build() -> None:
    people = [person.draw(5, index) for index in range(40)]
    assert all((t.betas[2] < 0) == t.woman for t in people)


@pytest.mark.parametrize("index", [0, 3, 5])
def test_distance_near_the_surface_does_not_depend_on_which_points_are_asked_together(index: int) -> None:
    figure = figure_of(DOZEN[index])
    points = on_surface(DOZEN[index], 15_000)
    jitter = np.random.default_rng(0).uniform(-0.004, 0.004, points.shape).astype(np.float32)
    points = points + jitter
    together = figure.distance(points)
    cell = np.floor(points / 0.03).astype(np.int64)
    key = (cell[0] * 4096 + cell[1]) * 4096 + cell[2]
    apart = np.empty_like(together)
    for value in np.unique(key):
        mine = np.flatnonzero(key == value)
        apart[mine] = figure.distance(np.ascontiguousarray(points[:, mine]))
    np.testing.assert_allclose(apart, together, atol=2e-6)


@pytest.mark.parametrize("garment", [TSHIRT, SHIRT, COAT], ids=lambda g: g.kind)
def test_a_top_covers_the_trunk_and_leaves_head_and_legs_alone(garment: Garment) -> None:
    traits = Traits(garments=(garment,))
    points = scattered(60_000, (-0.16, 1.06, -0.16), (0.16, 1.30, 0.0))
    raised = points.copy()
    raised[1] -= np.float32(FLOOR)
    folded, limbs = mirrored(raised), anatomy.limbs(points)
    cloth = clothes.top(folded, clothes.Beneath(limbs, np.full_like(limbs, 1.0)), garment, tucked=False)
    skin = np.abs(limbs) < 0.002
    assert skin.sum() > 200
    assert (cloth[skin] < -0.003).all()
    figure = figure_of(traits)
    for place in ((0.0, 1.70, 0.05), (0.10, 0.30, 0.0)):
        at = np.array([[place[0]], [place[1] + FLOOR], [place[2]]], dtype=np.float32)
        raised = at - np.array([[0], [FLOOR], [0]], dtype=np.float32)
        alone = clothes.Beneath(anatomy.limbs(at), np.ones(1, np.float32))
        assert clothes.top(mirrored(raised), alone, garment, tucked=False) > 0.02
        assert np.isfinite(figure.distance(at)).all()


def test_an_outer_garment_lies_over_the_inner_one() -> None:
    points = scattered(80_000, (-0.2, 1.0, -0.2), (0.2, 1.35, 0.2))
    raised = points.copy()
    raised[1] -= np.float32(FLOOR)
    folded, limbs = mirrored(raised), anatomy.limbs(points)
    loose = dataclasses.replace(SHIRT, looseness=1.0)
    shirt = clothes.top(folded, clothes.Beneath(limbs, np.full_like(limbs, 1.0)), loose, tucked=False)
    tight = dataclasses.replace(COAT, looseness=0.0)
    coat = clothes.top(folded, clothes.Beneath(limbs, shirt), tight, tucked=False)
    behind = (np.abs(shirt) < 0.001) & (points[2] < -0.02)
    assert behind.sum() > 300
    assert (coat[behind] < -0.002).all()


def test_hems_and_sleeves_follow_the_length_that_was_drawn() -> None:
    for kind in ("tshirt", "shirt", "coat", "trousers", "shorts", "skirt"):
        short, long = (clothes.hem_height(Garment(kind, (0, 0, 0), length=v)) for v in (0.0, 1.0))
        assert 0 < long < short < 1.1
    cuffs = [clothes.sleeve_end(dataclasses.replace(TSHIRT, length=v)) for v in (0.0, 1.0)]
    assert REST[16, 0] < cuffs[0] < cuffs[1] < REST[18, 0]
    assert abs(clothes.sleeve_end(SHIRT) - REST[20, 0]) < 0.03


def test_relief_is_small_everywhere_and_moves_both_sides_of_hanging_cloth_together() -> None:
    points = scattered(4000, (-0.2, 0.4, 0.05), (0.2, 0.8, 0.2))
    raised = points.copy()
    raised[1] -= np.float32(FLOOR)
    outward = np.stack([raised[0], np.zeros_like(raised[0]), raised[2]])
    outward /= np.linalg.norm(outward, axis=0)
    outside = folds.wrinkles(raised, outward, SKIRT, 5, 0.0)
    lining = folds.wrinkles(raised, -outward, SKIRT, 5, 0.0)
    np.testing.assert_allclose(outside, -lining, atol=1e-7)
    assert 0.002 < np.abs(outside).max() < 0.04


def test_bent_limbs_fold_deeper() -> None:
    points = scattered(20_000, (-0.6, 1.35, -0.08), (0.6, 1.46, 0.05))
    points[1] -= np.float32(FLOOR)
    normals = np.zeros_like(points)
    straight, bent = (folds.wrinkles(points, normals, SHIRT, 9, bend) for bend in (0.0, 1.0))
    assert bent.std() > 1.2 * straight.std()


def test_stripes_repeat_and_show_both_colours() -> None:
    garment = dataclasses.replace(TSHIRT, pattern="stripes", colour=(0.1, 0.1, 0.1), second=(0.9, 0.9, 0.9))
    heights = np.linspace(1.0, 1.3, 3000, dtype=np.float32)
    line = np.stack([np.zeros_like(heights), heights, np.full_like(heights, 0.1)])
    bright = fabric.paint_cloth(line, garment, 0)[:, 0] > 0.5
    assert 0.3 < bright.mean() < 0.55
    edges = np.flatnonzero(np.diff(bright.astype(int)) == 1)
    gaps = np.diff(heights[edges])
    assert len(gaps) >= 8
    np.testing.assert_allclose(gaps, np.median(gaps), atol=0.0015)


def test_paint_knows_cloth_from_skin() -> None:
    traits = Traits(
        skin=(0.8, 0.6, 0.5), garments=(TROUSERS, dataclasses.replace(TSHIRT, colour=(0, 0, 1)))
    )
    points = on_surface(traits, 12_000)
    colours = figure_of(traits).paint(points, np.zeros_like(points)).astype(int)
    height = points[1] - FLOOR
    chest = (height > 1.15) & (height < 1.3) & (np.abs(points[0]) < 0.12)
    face = (height > 1.51) & (np.abs(points[0]) < 0.04) & (points[2] > 0.06)
    assert (colours[chest, 2] > colours[chest, 0] + 80).all()
    assert (colours[face, 0] >= colours[face, 2]).mean() > 0.9


def test_only_skirts_and_coats_pass_from_leg_to_leg() -> None:
    points = scattered(3000, (-0.2, 0.3, -0.2), (0.2, 0.9, 0.2))
    assert not figure_of(Traits(garments=(TROUSERS, TSHIRT))).spread(points).any()
    assert figure_of(Traits(garments=(SKIRT, TSHIRT))).spread(points).max() > 0.05


def test_nails_are_lighter_than_the_fingers_they_are_on() -> None:
    points = np.ascontiguousarray(on_hand(Traits()).T)
    on_nail = hand.nails(points) > 0.8
    colours = figure_of(Traits()).paint(points, np.zeros_like(points)).astype(int)
    assert on_nail.sum() > 50
    assert np.median(colours[on_nail, 2]) > np.median(colours[~on_nail, 2]) + 20


def on_hand(traits: Traits) -> F32:
    """Vertices (N, 3) of a hand's surface."""
    return extract(figure_of(traits).distance, (0.70, 0.05, -0.08), (0.92, 0.15, 0.10), 0.002)[0]
