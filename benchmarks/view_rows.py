"""View rows by the million for benchmarks/manifests.py, as Arrow tables: no Python object a row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from manifests.schema import VIEWS
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.depth import coding_of
from pipeline.geometry.lighting import FLAT
from pipeline.geometry.transform import view_turn
from pipeline.rows import FILES

YAWS = tuple(15 * i - 180 for i in range(24))
_FOLDERS = {
    "color_front": "COLOR/NOSHADING",
    "color_back": "COLOR/NOSHADING",
    "shaded_front": "COLOR/SHADED",
    "depth_front": "DEPTH",
    "depth_back": "DEPTH",
    "normal_front": "NORMAL",
    "normal_back": "NORMAL",
    "mask": "MASK",
}
_MOMENT = 1_790_000_000_000_000  # microseconds


def view_table(subjects: np.ndarray, seed: int) -> pa.Table:
    """The 24 views of every subject (S,), sorted as a manifest is."""
    rng = np.random.default_rng(seed)
    names = sorted((f"2K2K_0_y_{yaw}_x", yaw) for yaw in YAWS)
    scans = [f"{subject:06d}" for subject in subjects for _ in YAWS]
    views = [name for _ in subjects for name, _ in names]
    count = len(scans)
    camera = portrait_camera(2048)
    near, scale, offset = coding_of(camera)
    to_camera = np.eye(4)
    to_camera[:3, :3], to_camera[:3, 3] = camera.rotation, camera.translation
    turns = np.tile(np.eye(4), (len(names), 1, 1))
    turns[:, :3, :3] = [view_turn(yaw, 0) for _, yaw in names]
    valid = np.repeat(rng.random((len(subjects), 31)) > 0.05, len(names), axis=0)
    filled: dict[str, object] = {
        **_pictures(rng, scans, views),
        "dataset": "2K2K",
        "scan": scans,
        "split": [("train", "val", "test")[max(int(s) % 40 // 2 - 17, 0)] for s in scans],
        "view": views,
        "projection": "perspective",
        "yaw": np.tile([float(yaw) for _, yaw in names], len(subjects)),
        "pitch": 0.0,
        "width": 2048,
        "height": 2048,
        "intrinsics": np.tile([camera.fx, 0, camera.cx, 0, camera.fy, camera.cy, 0, 0, 1], (count, 1)),
        "world_to_camera": np.tile(to_camera.ravel(), (count, 1)),
        "aligned_to_world": np.tile(turns.reshape(-1, 16), (len(subjects), 1)),
        "depth_kind": "ray_length",
        "depth_near": near,
        "depth_scale": scale,
        "depth_offset": offset,
        "depth_focal": camera.fx,
        "zero_means": "nothing",
        "depth_coding": "uint16",
        "normal_coding": "uint16",
        "light": "studio",
        "light_numbers": rng.random((count, FLAT), dtype=np.float32),
        "seed": 0,
        "occlusion": True,
        **_keypoints(rng, valid),
        "box_left": rng.integers(400, 900, count),
        "box_top": rng.integers(100, 200, count),
        "box_width": rng.integers(300, 1200, count),
        "box_height": rng.integers(1500, 1800, count),
        "silhouette_pixels": rng.integers(300_000, 900_000, count),
        "key": _digests(rng, count),
        "shaded_key": _digests(rng, count),
        "keypoints_key": _digests(rng, count),
        "made_at": np.sort(rng.integers(_MOMENT, _MOMENT + 10**12, count)),
        "code_version": "0.1.0",
    }
    return pa.Table.from_arrays(
        [_column(field, filled[field.name], count) for field in VIEWS.schema], schema=VIEWS.schema
    )


def _keypoints(rng: np.random.Generator, valid: np.ndarray) -> dict[str, object]:
    """The columns of the keypoints, of which `valid` (N, 31) are known."""
    count = len(valid)
    places = rng.random((count, 31, 2), dtype=np.float32) * 2048 * valid[..., None]
    return {
        "keypoints_uv": places.reshape(count, -1),
        "keypoints_depth": (rng.random((count, 31), dtype=np.float32) + 0.5) * valid,
        "keypoints_valid": valid,
        "keypoints_visible": valid & (rng.random((count, 31)) > 0.3),
        "keypoints_confidence": valid.astype(np.float32),
        "keypoints_source": _sources(valid),
    }


def _pictures(rng: np.random.Generator, scans: list[str], views: list[str]) -> dict[str, object]:
    """The columns of the images: eight of nine are there."""
    filled: dict[str, object] = {}
    for image in FILES:
        folder = _FOLDERS.get(image)
        side = "back" if image.endswith("back") else "front"
        filled[image] = folder and [
            f"PERS/{folder}/{view}/{scan}_{side}.png" for view, scan in zip(views, scans, strict=True)
        ]
        filled[f"{image}_bytes"] = rng.integers(200_000, 3_000_000, len(scans)) if folder else None
        filled[f"{image}_blake2b"] = _digests(rng, len(scans)) if folder else None
    return filled


def _column(field: pa.Field, value: object, count: int) -> pa.Array:
    if isinstance(value, pa.Array):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 2:
        items = pa.array(value.ravel(), field.type.value_type)
        return pa.FixedSizeListArray.from_arrays(items, type=field.type)
    if isinstance(value, list | np.ndarray):
        return pa.array(value, field.type)
    return pa.repeat(pa.scalar(value, field.type), count)


def _sources(valid: np.ndarray) -> pa.Array:
    texts = pa.array(["", "parameters"]).take(pa.array(valid.ravel().astype(np.int8)))
    ends = pa.array(np.arange(0, valid.size + 1, valid.shape[1], dtype=np.int32))
    return pa.ListArray.from_arrays(ends, texts, type=VIEWS.schema.field("keypoints_source").type)


def _digests(rng: np.random.Generator, count: int) -> list[str]:
    text = rng.bytes(16 * count).hex()
    return [text[i : i + 32] for i in range(0, len(text), 32)]
