"""Make pipeline/synth/data/template.npz: the bare body's surface as exactly 10,475 vertices.

A step for developers, after the bare body or its landmarks changed: python -m tools.make_template. It takes
minutes.
"""

from __future__ import annotations

from pathlib import Path

import fast_simplification
import numpy as np

from pipeline.records import F64, I32
from pipeline.synth import foot, head
from pipeline.synth.anatomy import bare
from pipeline.synth.lattice import Sampling
from pipeline.synth.skeleton import FINGER_TIPS, FLOOR, JOINT_INDEX, REST
from pipeline.synth.surface import extract
from pipeline.synth.template import CONTOUR_TURNS, SPECIAL, VERTICES
from pipeline.synth.traits import Face
from pipeline.synth.weights import subtree_shares
from tools.decimate import Decimation

OUT = Path(__file__).parents[1] / "pipeline" / "synth" / "data" / "template.npz"
LOW, HIGH = (-0.93, FLOOR - 0.03, -0.22), (0.93, FLOOR + 1.77, 0.26)
CELL = 0.0022
# how many times larger the decimator sees a part than it is, so that it keeps more of it
MAGNIFIED = {"head": 3.2, "left_wrist": 3.3, "left_ankle": 1.8}
THINNED = 60_000  # faces that the fast decimator leaves to the careful one


def dense_half() -> tuple[F64, I32]:
    """The left half of the body's surface, its border on the plane x = 0."""
    vertices, faces = extract(bare, LOW, HIGH, CELL, Sampling(jobs=1))
    faces = faces[vertices[faces, 0].mean(axis=1) > 0]
    used, numbers = np.unique(faces, return_inverse=True)
    return vertices[used].astype(np.float64), numbers.reshape(-1, 3).astype(np.int32)


def magnified(points: F64) -> F64:
    """Points (N, 3) as the decimator sees them: what matters is larger, and so keeps more vertices."""
    shares = subtree_shares(points.astype(np.float32)).astype(np.float64)
    moved = points.copy()
    for name, factor in MAGNIFIED.items():
        joint = JOINT_INDEX[name]
        moved += (factor - 1) * shares[joint][:, None] * (points - REST[joint])
    return moved


def projected(points: F64, steps: int = 8) -> F64:
    """Points (N, 3) moved onto the surface; those on the plane x = 0 stay on it."""
    middle = np.abs(points[:, 0]) < 1e-9
    moved = points.copy()
    for _ in range(steps):
        distance, gradient = _slope(moved)
        length = np.einsum("ij,ij->i", gradient, gradient)
        move = distance / np.maximum(length, 0.25)
        moved -= np.clip(move, -0.002, 0.002)[:, None] * gradient
        moved[middle, 0] = 0
    return moved


def _slope(points: F64) -> tuple[F64, F64]:
    step = 2e-4
    shifts = np.concatenate([np.zeros((1, 3)), step * np.eye(3), -step * np.eye(3)])
    samples = (points[None] + shifts[:, None]).reshape(-1, 3)
    parts = [samples[i : i + 40_000] for i in range(0, len(samples), 40_000)]
    values = np.concatenate([bare(np.ascontiguousarray(p.T, dtype=np.float32)) for p in parts])
    values = values.reshape(7, -1).astype(np.float64)
    return values[0], ((values[1:4] - values[4:]) / (2 * step)).T


def border_of(faces: I32) -> I32:
    """The border's directed edges (B, 2)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    forward = edges[:, 0] << 32 | edges[:, 1]
    backward = edges[:, 1] << 32 | edges[:, 0]
    return edges[~np.isin(forward, backward)].astype(np.int32)


def thinned(vertices: F64, faces: I32) -> tuple[F64, F64, I32]:
    """The half surface thinned out: vertices as the decimator sees them, as they are, faces."""
    seen = magnified(vertices).astype(np.float32)
    _, _, collapses = fast_simplification.simplify(
        seen, faces, target_count=THINNED, agg=1, return_collapses=True
    )
    small, few, origin = fast_simplification.replay_simplification(seen, faces, collapses)
    away = np.linalg.norm(seen - small[origin], axis=1)
    nearest = np.zeros(len(small), dtype=np.int64)
    order = np.argsort(-away, kind="stable")
    nearest[origin[order]] = order
    plain = vertices[nearest]
    plain[np.unique(border_of(few)), 0] = 0
    return magnified(plain), plain, few.astype(np.int32)


def decimated(vertices: F64, faces: I32) -> tuple[F64, I32]:
    """The half surface with as many vertices as make the template's number once it is mirrored."""
    seen, plain, thin = thinned(vertices, faces)
    work = Decimation(seen, plain, thin, border_of(thin))
    work.run(lambda alive, border: 2 * alive - border - VERTICES)
    few, small = work.result()
    few[np.unique(border_of(small)), 0] = 0
    return projected(few), small


def untangled(vertices: F64, faces: I32, fixed: list[int], rounds: int = 40) -> F64:
    """Vertices of faces that look inward drawn to the middle of their neighbours, until none does."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    count = np.bincount(edges[:, 0], minlength=len(vertices))[:, None]
    middle = np.zeros(len(vertices), dtype=np.bool_)
    middle[border_of(faces)] = True
    for _ in range(rounds):
        bad = np.unique(faces[outwardness(vertices, faces) <= 0])
        bad = bad[~np.isin(bad, fixed)]
        if not len(bad):
            break
        mean = np.zeros_like(vertices)
        np.add.at(mean, edges[:, 0], vertices[edges[:, 1]])
        moved = vertices.copy()
        moved[bad] += 0.5 * ((mean / count)[bad] - vertices[bad])
        moved[middle, 0] = 0
        vertices = projected(moved, 3)
    return vertices


def outwardness(vertices: F64, faces: I32) -> F64:
    """How far (F,) each face looks the way the distance grows: the cosine, below zero inward."""
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    _, gradient = _slope(corners.mean(axis=1))
    sizes = np.linalg.norm(normal, axis=1) * np.linalg.norm(gradient, axis=1)
    return np.asarray(np.einsum("ij,ij->i", normal, gradient) / np.maximum(sizes, 1e-30))


def places() -> dict[str, F64]:
    """Where the left and middle vertices lie that smplx picks by number."""
    marks = head.landmarks(Face())
    tips = dict(zip(("index", "middle", "pinky", "ring", "thumb"), FINGER_TIPS[0], strict=True))
    return {
        "nose": marks["nose"], "leye": marks["eyes"][0], "lear": marks["ears"][0],
        "LBigToe": foot.BIG_TOE, "LSmallToe": foot.SMALL_TOE, "LHeel": foot.HEEL,
        **{f"l{name}": tip for name, tip in tips.items()},
    }  # fmt: skip


def snapped(vertices: F64, faces: I32) -> tuple[F64, dict[str, int]]:
    """Vertices with the special ones at their places, and which those are."""
    border = np.unique(border_of(faces))
    found: dict[str, int] = {}
    vertices = vertices.copy()
    for name, place in places().items():
        target = projected(np.asarray(place, dtype=np.float64)[None])[0]
        away = np.linalg.norm(vertices - target, axis=1)
        allowed = np.isin(np.arange(len(vertices)), border) == (name == "nose")
        away[~allowed] = np.inf
        nearest = int(np.argmin(away))
        found[name] = nearest
        vertices[nearest] = target
        print(f"{name}: moved {1000 * away[nearest]:.1f} mm")
    return vertices, found


def mirrored_whole(vertices: F64, faces: I32, found: dict[str, int]) -> tuple[F64, I32, dict[str, int]]:
    """Both halves as one closed surface, and the special vertices of both sides."""
    border = np.unique(border_of(faces))
    other = np.full(len(vertices), -1)
    other[border] = border
    inner = np.flatnonzero(other < 0)
    other[inner] = len(vertices) + np.arange(len(inner))
    whole = np.concatenate([vertices, vertices[inner] * [-1, 1, 1]])
    both = np.concatenate([faces, other[faces][:, ::-1]])
    special = dict(found)
    for name, vertex in found.items():
        if name != "nose":
            special[("R" if name[0] == "L" else "r") + name[1:]] = int(other[vertex])
    return whole, both, special


def numbered(vertices: F64, faces: I32, special: dict[str, int]) -> tuple[F64, I32]:
    """Vertices renumbered so that the special ones have the numbers smplx expects."""
    new = np.full(len(vertices), -1)
    for name, vertex in special.items():
        new[vertex] = SPECIAL[name]
    free = np.setdiff1d(np.arange(len(vertices)), list(SPECIAL.values()))
    new[new < 0] = free
    out = np.empty_like(vertices)
    out[new] = vertices
    faces = new[faces]
    start = np.argmin(faces, axis=1)
    faces = np.take_along_axis(faces, (start[:, None] + np.arange(3)) % 3, axis=1)
    return out, faces[np.lexsort(faces.T[::-1])]


def embedded(points: F64, vertices: F64, faces: I32) -> tuple[I32, F64]:
    """The faces (N,) nearest to points (N, 3), and the barycentric coordinates (N, 3) there."""
    centres = vertices[faces].mean(axis=1)
    chosen, where = np.zeros(len(points), dtype=np.int32), np.zeros((len(points), 3))
    for i, point in enumerate(points):
        near = np.argsort(np.linalg.norm(centres - point, axis=1))[:40]
        coordinates = [_nearest_on(point, vertices[faces[f]]) for f in near]
        away = [
            np.linalg.norm(c @ vertices[faces[f]] - point) for c, f in zip(coordinates, near, strict=True)
        ]
        best = int(np.argmin(away))
        chosen[i], where[i] = near[best], coordinates[best]
    return chosen, where


def _nearest_on(point: F64, corners: F64) -> F64:
    """Barycentric coordinates (3,) of the point of a triangle nearest to a point."""
    one, two = corners[1] - corners[0], corners[2] - corners[0]
    gram = np.array([[one @ one, one @ two], [one @ two, two @ two]])
    b, c = np.linalg.solve(gram, np.array([one, two]) @ (point - corners[0]))
    best = np.array([1 - b - c, b, c])
    if best.min() >= 0:
        return best
    options = []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        along = corners[j] - corners[i]
        t = float(np.clip((point - corners[i]) @ along / (along @ along), 0, 1))
        option = np.zeros(3)
        option[i], option[j] = 1 - t, t
        options.append(option)
    return np.asarray(min(options, key=lambda o: float(np.linalg.norm(o @ corners - point))))


def contours() -> F64:
    """The outline of the lower face for each turn of the head (79, 17, 3): the far side slides forward."""
    front = head.landmarks(Face())["jaw"]
    axis = np.array([0.0, 0.0, 0.005])
    share = np.abs(np.arange(17) - 8) / 8
    out = []
    for degrees in CONTOUR_TURNS:
        # a head turned to its right (below zero) shows its left: its right side is the far one
        far = np.arange(17) < 8 if degrees < 0 else np.arange(17) > 8
        angle = np.radians(abs(degrees)) * share * far * np.sign(front[:, 0]) * -1
        cosine, sine = np.cos(angle), np.sin(angle)
        offset = front - axis
        turned = np.stack(
            [
                offset[:, 0] * cosine + offset[:, 2] * sine,
                offset[:, 1],
                offset[:, 2] * cosine - offset[:, 0] * sine,
            ],
            axis=1,
        )
        out.append(projected(turned + axis))
    return np.array(out)


def main() -> None:
    """Make the template and write it."""
    vertices, faces = dense_half()
    print(f"dense half: {len(vertices)} vertices")
    vertices, faces = decimated(vertices, faces)
    print(f"decimated half: {len(vertices)} vertices, {len(border_of(faces))} on the border")
    vertices, found = snapped(vertices, faces)
    vertices = untangled(vertices, faces, list(found.values()))
    whole, both, special = mirrored_whole(vertices, faces, found)
    whole, both = numbered(whole, both, special)
    landmarks = head.landmarks(Face())["face"]
    marks, mark_weights = embedded(landmarks, whole, both)
    outline, outline_weights = embedded(contours().reshape(-1, 3), whole, both)
    OUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        OUT,
        vertices=whole.astype(np.float32),
        faces=both.astype(np.uint16),
        landmark_faces=marks.astype(np.uint16),
        landmark_weights=mark_weights.astype(np.float32),
        contour_faces=outline.reshape(79, 17).astype(np.uint16),
        contour_weights=outline_weights.reshape(79, 17, 3).astype(np.float32),
    )
    print(f"{OUT}: {len(whole)} vertices, {len(both)} faces, {OUT.stat().st_size} bytes")
    distance, _ = _slope(whole)
    inward = int(np.sum(outwardness(whole, both) <= 0))
    print(f"off the surface by {1000 * np.abs(distance).max():.3f} mm; {inward} faces inward")


if __name__ == "__main__":
    main()
