"""2K2K: `{id}/{id}.ply`, alone or below `train`, `test`, `1M` or `50K`, with what is known of it beside.

The published renderer's own form, `{id}/{id}.obj` with `{id}.png`, is read where there is no PLY.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.datasets.places import REGISTERED, Names, SplitOf, Tree
from pipeline.records import Subject

FACTS = ("mesh", "textures", "parameters", "registered", "joints")
_REDUCED = "50K"  # the same scans with fewer vertices
_BRANCHES = ("", "train", "test", "1M", _REDUCED)
_RELEASED = ("train", "test")


def find(tree: Tree, split_of: SplitOf) -> Iterator[Subject]:
    """Everybody there; of a scan in two sizes, the full one."""
    seen = set(_BRANCHES)
    for branch in _BRANCHES:
        folder = f"obj/{tree.dataset}/{branch}".rstrip("/")
        for name in tree.names(folder).folders:
            if name in seen and (not branch or branch == _REDUCED):
                continue
            split = branch if branch in _RELEASED else split_of(name)
            subject = _subject(tree.dataset, name, split, tree.names(f"{folder}/{name}"))
            if subject.mesh or subject.parameters or subject.registered or subject.joints:
                seen.add(name)
                yield subject


def _subject(dataset: str, name: str, split: str, inside: Names) -> Subject:
    """One person's folder; one without a mesh may still hold the rest."""
    mesh = inside.first(f"{name}.ply", f"{name}.obj")
    joints = inside.first("kp3ds.json")
    return Subject(
        dataset=dataset,
        id=name,
        split=split,
        mesh=mesh,
        textures=inside.images(name) if mesh and mesh.lower().endswith(".obj") else (),
        parameters=inside.parameters(name),
        registered=inside.first(*REGISTERED),
        joints=joints,
        joints_kind="kp3ds" if joints else None,
    )
