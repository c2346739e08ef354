"""How often it is right which keypoints can be seen: synthetic people whose truth is known.

A tolerance for each kind of keypoint is set on every second person and judged on the others, by joints that
are exact and by joints that are off as those from pictures are. The truth is that the ray to a keypoint
meets first the patch of the body that lies over it: docs/keypoints.md says how that is known.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from pipeline.geometry.camera import portrait_camera, position, project
from pipeline.geometry.keypoints import (
    COUNT,
    NAMES,
    SMPLX_ORDER,
    TOLERANCE,
    aligned_rows,
    kind_of,
    pixels_at,
)
from pipeline.geometry.transform import aligned, view_turn
from pipeline.records import F32, F64, I32, Bool, Camera, Frame, Joints, Light, Mesh, View
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer
from pipeline.synth.joints import smplx_joints
from pipeline.synth.person import draw
from pipeline.synth.scan import Scan, make_scan
from pipeline.synth.skeleton import JOINT_INDEX, JOINT_NAMES, REST
from pipeline.synth.template import SPECIAL, template
from pipeline.synth.weights import skin_weights

SEED = 31
SIZE = 1024
VERTICES = 60_000
# times the way to the nearest skin, and metres besides: how far the patch over a keypoint goes
PATCH = (2.0, 0.020)
NOISE = 0.012  # metres: what joints from pictures are off by
VIEWS = (
    *((float(yaw), 0.0) for yaw in range(-180, 180, 30)),
    *((float(yaw), pitch) for yaw in range(-180, 180, 90) for pitch in (-30.0, 30.0)),
)
USUAL = np.array([abs(yaw) <= 30 and pitch == 0 for yaw, pitch in VIEWS])
DARK = Light(np.zeros((9, 3)))
COLUMNS = {kind_of(name): [k for k, n in enumerate(NAMES) if kind_of(n) == kind_of(name)] for name in NAMES}
FIELDS = ("behind", "noisy", "truth")
_SURFACE = {
    "nose": "nose", "left eye": "leye", "right eye": "reye", "left ear": "lear", "right ear": "rear",
    "left big toe": "LBigToe", "left small toe": "LSmallToe", "left heel": "LHeel",
    "right big toe": "RBigToe", "right small toe": "RSmallToe", "right heel": "RHeel",
}  # fmt: skip
_KNUCKLES = ("index", "middle", "ring", "pinky")
_HEAD = ("head", "jaw", "left_eye", "right_eye")
# the parts that meet at a joint, by the rig's joints that move them; * = of the joint's own side
_PARTS = {
    "nose": _HEAD, "eye": _HEAD, "ear": _HEAD,
    "shoulder": ("*collar", "*shoulder"), "elbow": ("*shoulder", "*elbow"), "wrist": ("*elbow", "*hand"),
    "hip": ("pelvis", "*hip"), "knee": ("*hip", "*knee"), "ankle": ("*knee", "*ankle"),
    "big toe": ("*ankle", "*foot"), "small toe": ("*ankle", "*foot"), "heel": ("*ankle",),
    **dict.fromkeys(_KNUCKLES, ("*hand",)),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Seen:
    """One person in all views (W, 31): how far keypoints lie behind the front, and which are truly seen."""

    behind: F64  # aligned units; NaN = the ray meets nothing
    noisy: F64  # the same of joints that are off
    truth: Bool


def rest_of(name: str) -> F64:
    """Where a keypoint is (3,) at rest."""
    if name in _SURFACE:
        return np.array(template().vertices[SPECIAL[_SURFACE[name]]], dtype=np.float64)
    side, part = name.split(" ", 1)
    return np.array(REST[JOINT_INDEX[f"{side}_{part}{'1' if part in _KNUCKLES else ''}"]])


def parts_of(name: str) -> I32:
    """The joints of the rig (n,) that move the parts which meet at a keypoint."""
    side = name.partition(" ")[0]
    names: list[str] = []
    for part in _PARTS[kind_of(name)]:
        if part == "*hand":
            names.append(f"{side}_wrist")
            names += [joint for joint in JOINT_NAMES[25:] if joint.startswith(side)]
        else:
            names.append(part.replace("*", f"{side}_"))
    return np.array([JOINT_INDEX[joint] for joint in names], dtype=np.int32)


class Truth:
    """What part of a person a place on the surface belongs to."""

    def __init__(self, scan: Scan, vertices: F32) -> None:
        self._rest = scan.skin.rest.astype(np.float64)
        self._part = np.argmax(skin_weights(scan.skin.rest), axis=1)
        self._tree = cKDTree(vertices)
        skin = cKDTree(self._rest)
        self._skin = {name: float(skin.query(rest_of(name))[0]) for name in NAMES}

    def __call__(self, places: F64) -> Bool:
        """Whether places (31, 3), where rays to the keypoints end, are on their own patches (31,)."""
        found = self._tree.query(places)[1]
        return np.array([self._is_own(name, int(found[k])) for k, name in enumerate(NAMES)])

    def _is_own(self, name: str, vertex: int) -> bool:
        own = self._part[vertex] in parts_of(name)
        if JOINT_NAMES[self._part[vertex]] == "pelvis":  # which both hips have, each a half
            own = own and self._rest[vertex, 0] * rest_of(name)[0] > 0
        away = np.linalg.norm(self._rest[vertex] - rest_of(name))
        return bool(own and away <= PATCH[0] * self._skin[name] + PATCH[1])


def watch(renderer: Renderer, index: int) -> Seen:
    """One person in all views."""
    traits = draw(SEED, index)
    scan = make_scan(traits, VERTICES)
    vertices = aligned(scan.skin.vertices, scan.alignment)
    mesh = Mesh(vertices, scan.skin.faces, scan.skin.colors)
    truth = Truth(scan, vertices)
    joints = smplx_joints(scan.body)
    known = Joints(joints, np.ones(len(joints)), SMPLX_ORDER)
    places = aligned_rows(known, scan.alignment)[0]
    metre = scan.alignment.scale / scan.body.scale
    off = places + np.random.default_rng([SEED, index]).normal(0, NOISE * metre / 3**0.5, places.shape)
    camera = portrait_camera(SIZE)
    views = [View(yaw, pitch, camera, DARK) for yaw, pitch in VIEWS]
    behind, noisy = np.empty((2, len(views), COUNT))
    seen = np.empty((len(views), COUNT), dtype=np.bool_)
    for number, (view, frame) in enumerate(zip(views, renderer.shoot(mesh, views), strict=True)):
        turn = view_turn(view.yaw, view.pitch)
        noisy[number] = behind_front(off @ turn.T, frame, camera)
        behind[number] = behind_front(places @ turn.T, frame, camera)
        direction = places @ turn.T - position(camera)
        length = np.linalg.norm(direction, axis=1)
        hit = position(camera) + direction * ((length - behind[number]) / length)[:, None]
        open_air = np.isnan(behind[number])  # what meets nothing is hidden by nothing
        seen[number] = open_air | truth(np.where(open_air[:, None], 0.0, hit) @ turn)
    return Seen(behind, noisy, seen)


def behind_front(points: F64, frame: Frame, camera: Camera) -> F64:
    """How far points (N, 3) lie behind the nearest surface (N,)."""
    assert frame.front.length is not None
    image = project(points, camera)
    front = pixels_at(frame.front.length.astype(np.float64), frame.window, image[:, :2])
    return np.where(front > 0, image[:, 2] - front, np.nan)


def right(behind: F64, truth: Bool, tolerance: float | F64) -> Bool:
    """Where the judgement agrees with the truth."""
    return np.asarray((np.isnan(behind) | (behind <= tolerance)) == truth)


def tolerance_of(people: list[Seen], kind: str) -> float:
    """What is right most often, of exact and of noisy joints together; the middle of what is as good."""
    k = COLUMNS[kind]
    behind = np.concatenate([side[:, k].ravel() for p in people for side in (p.behind, p.noisy)])
    truth = np.concatenate([p.truth[:, k].ravel() for p in people for _ in range(2)])
    choices = np.arange(0.001, 0.2, 0.0005)
    shares = np.array([right(behind, truth, choice).mean() for choice in choices])
    return float(np.median(choices[shares >= shares.max() - 0.0005]))


def judged(people: list[Seen], kind: str, tolerance: float) -> dict[str, float]:
    """How often a tolerance is right, as shares, and how deep keypoints that are seen lie."""
    k = COLUMNS[kind]
    behind, noisy, truth = (np.stack([getattr(p, f)[:, k] for p in people]) for f in FIELDS)
    depths = behind[truth & ~np.isnan(behind)]
    return {
        "tolerance": tolerance,
        "seen": float(truth.mean()),
        "right": float(right(behind, truth, tolerance).mean()),
        "right_usual": float(right(behind, truth, tolerance)[:, USUAL].mean()),
        "right_noisy": float(right(noisy, truth, tolerance).mean()),
        "missed": float(1 - right(behind, truth, tolerance)[truth].mean()),
        "imagined": float(1 - right(behind, truth, tolerance)[~truth].mean()),
        "depth_median": float(np.median(depths)),
        "depth_p99": float(np.quantile(depths, 0.99)),
    }


def main() -> None:
    """Set tolerances on half of the people, judge those of the code on the other half, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=96)
    parser.add_argument("--json", type=Path)
    wish = parser.parse_args()
    started = time.process_time()
    with Renderer(SIZE, [Layer("length")]) as renderer:
        people = [watch(renderer, index) for index in range(wish.people)]
    table = {}
    print(f"{wish.people // 2} people, {len(VIEWS)} views each; tolerances and depths in aligned units")
    for kind, columns in COLUMNS.items():
        table[kind] = judged(people[1::2], kind, float(TOLERANCE[columns[0]]))
        table[kind]["set_here"] = tolerance_of(people[0::2], kind)
        if len(table) == 1:
            print(f"{'':10}" + "".join(f"{name:>13}" for name in table[kind]))
        print(f"{kind:10}" + "".join(f"{number:13.4f}" for number in table[kind].values()))
    weights = np.array([len(columns) for columns in COLUMNS.values()]) / COUNT
    for name in ("right", "right_usual", "right_noisy"):
        print(f"{name}, of all 31: {sum(weights * [row[name] for row in table.values()]):.4f}")
    seconds = time.process_time() - started
    print(f"{seconds:.0f} CPU-s, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    if wish.json:
        wish.json.write_text(json.dumps({"people": wish.people, "table": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
