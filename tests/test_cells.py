"""Every cell that there can be: its triangles fill it, and share no side but the rim's."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest

from pipeline.geometry.cells import MIDDLE, OPEN, PLAIN, STEP, code_of, triangles

PLACES = {0: (0.0, 0.0), 1: (1.0, 0.0), 2: (1.0, 1.0), 3: (0.0, 1.0), MIDDLE: (0.5, 0.5)} | {
    4 + 2 * edge + end: ((0.5, 0.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.5))[edge]
    for edge in range(4)
    for end in range(2)
}


def cells() -> Iterator[tuple[tuple[bool, ...], tuple[int, ...]]]:
    for corners in itertools.product((False, True), repeat=4):
        joins = [corners[i] and corners[(i + 1) % 4] for i in range(4)]
        for edges in itertools.product(*((PLAIN, STEP, OPEN) if joined else (OPEN,) for joined in joins)):
            yield corners, edges


CELLS = list(cells())


def sides(corners: tuple[bool, ...], edges: tuple[int, ...]) -> Counter[tuple[int, int]]:
    """The triangles' sides without those that two of them share."""
    of_all = Counter(
        side for a, b, c in triangles(code_of(corners, edges)) for side in ((a, b), (b, c), (c, a))
    )
    return Counter({(a, b): n - of_all[b, a] for (a, b), n in of_all.items() if n > of_all[b, a]})


def on_edges(corners: tuple[bool, ...], edges: tuple[int, ...]) -> Counter[tuple[int, int]]:
    """The sides that the next cells have too, the other way round."""
    found: list[tuple[int, int]] = []
    for edge, kind in enumerate(edges):
        start, end = edge, (edge + 1) % 4
        near, far = 4 + 2 * edge, 5 + 2 * edge
        if kind == PLAIN:
            found.append((start, end))
        elif kind == STEP:
            found += [(start, near), (near, far), (far, end)]
        else:
            found += [(start, near)] * corners[start] + [(far, end)] * corners[end]
    return Counter(found)


def test_there_are_as_many_cells_as_ways_to_fill_one() -> None:
    assert len({code_of(*cell) for cell in CELLS}) == len(CELLS) == 136


@pytest.mark.parametrize(("corners", "edges"), CELLS)
def test_a_cell_meets_its_neighbours_side_by_side_and_else_ends_at_a_rim(
    corners: tuple[bool, ...], edges: tuple[int, ...]
) -> None:
    rim = sides(corners, edges) - on_edges(corners, edges)
    assert not on_edges(corners, edges) - sides(corners, edges)
    assert all(count == 1 for count in rim.values())
    for a, b in rim:  # from where one open edge ends the surface to where the next one does
        assert a >= 4 and b >= 4
        assert a == MIDDLE or edges[(a - 4) // 2] == OPEN
        assert b == MIDDLE or edges[(b - 4) // 2] == OPEN
    assert sum(a == MIDDLE for a, _ in rim) == (all(corners) and edges.count(OPEN) == 1)


@pytest.mark.parametrize(("corners", "edges"), CELLS)
def test_no_side_within_a_cell_could_be_one_of_the_next_cell_too(
    corners: tuple[bool, ...], edges: tuple[int, ...]
) -> None:
    outer = set(sides(corners, edges))
    for a, b, c in triangles(code_of(corners, edges)):
        for side in ((a, b), (b, c), (c, a)):
            if side in outer or side[::-1] in outer:
                continue
            lines = [
                {edge for edge in range(4) if p in (edge, (edge + 1) % 4, 4 + 2 * edge, 5 + 2 * edge)}
                for p in side
            ]
            assert not lines[0] & lines[1]


@pytest.mark.parametrize(("corners", "edges"), CELLS)
def test_triangles_go_clockwise_and_fill_as_much_of_a_cell_as_its_corners_stand_for(
    corners: tuple[bool, ...], edges: tuple[int, ...]
) -> None:
    areas = []
    for triangle in triangles(code_of(corners, edges)):
        (ax, ay), (bx, by), (cx, cy) = (PLACES[place] for place in triangle)
        areas.append(((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) / 2)  # y points down
    cut_off = {0: 0.0, 1: 1 / 8, 2: 1 / 2, 3: 7 / 8, 4: 1.0}
    runs = _runs(corners, edges)
    assert min(areas, default=0.0) >= 0
    assert sum(areas) == pytest.approx(sum(cut_off[run] for run in runs))


def _runs(corners: tuple[bool, ...], edges: tuple[int, ...]) -> list[int]:
    """How many corners hang together, in a cell's pieces, by painting them."""
    label = list(range(4))
    for _ in range(4):
        for edge, kind in enumerate(edges):
            if kind != OPEN:
                label[edge] = label[(edge + 1) % 4] = min(label[edge], label[(edge + 1) % 4])
    return list(Counter(label[i] for i in range(4) if corners[i]).values())


def test_the_usual_step_is_a_wall_between_two_level_pieces() -> None:
    level = {frozenset({0, 3, 4, 9}): 0, frozenset({1, 2, 5, 8}): 0}
    wall = 0
    for triangle in triangles(code_of((True,) * 4, (STEP, PLAIN, STEP, PLAIN))):
        sides = [s for s in level if set(triangle) <= s]
        wall += not sides
        for one in sides:
            level[one] += 1
    assert wall == 2 and set(level.values()) == {2}
