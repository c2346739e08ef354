"""Anybody's own scans: each PLY, OBJ or GLB file of a tree is one person, what is known of it beside.

An id is the path below the dataset's folder: `studio/anna.ply` is `studio__anna`, `anna/anna.ply` is
`anna`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.datasets.places import REGISTERED, Names, SplitOf, Tree
from pipeline.records import Subject

FACTS = ("mesh", "textures", "parameters", "registered", "joints")
_MESHES = ("ply", "obj", "glb", "gltf")
_FITTED = ".registered"
_MOST_DEEP = 64


def find(tree: Tree, split_of: SplitOf) -> Iterator[Subject]:
    """Everybody in the tree, whatever its depth; links are followed, each folder once."""
    yield from _Walk(tree, split_of).below(())


@dataclass(frozen=True)
class _Walk:
    """A way through the tree, and the folders it has been in."""

    tree: Tree
    split_of: SplitOf
    seen: set[tuple[int, int]] = field(default_factory=set)

    def below(self, parts: tuple[str, ...]) -> Iterator[Subject]:
        """Everybody in one folder and those below it."""
        folder = "/".join(("obj", self.tree.dataset, *parts))
        identity = self.tree.identity(folder)
        if identity is None or identity in self.seen:
            return
        self.seen.add(identity)
        if len(parts) > _MOST_DEEP:
            self.tree.faults.append((folder, f"is over {_MOST_DEEP} folders deep; move what is in it up"))
            return
        inside = self.tree.names(folder)
        scans = [name for name in inside.files if _is_scan(name)]
        for scan in scans:
            yield self._subject(parts, inside, scan, len(scans) == 1)
        for name in inside.folders:
            yield from self.below((*parts, name))

    def _subject(self, parts: tuple[str, ...], inside: Names, scan: str, alone: bool) -> Subject:
        """One scan with its sidecars; what is called by nobody's name belongs to a scan that is alone."""
        stem, _, ending = scan.rpartition(".")
        name = _name(parts, stem)
        joints = inside.first(f"{stem}.joints.json")
        fitted = (f"{stem}{_FITTED}.obj", *(REGISTERED if alone else ()))
        return Subject(
            dataset=self.tree.dataset,
            id=name,
            split=self.split_of(name),
            mesh=f"{inside.path}/{scan}",
            textures=_textures(inside, stem, alone) if ending.lower() == "obj" else (),
            parameters=inside.first(f"{stem}.json", f"{stem}.npz", f"{stem}.pkl"),
            registered=inside.first(*fitted),
            joints=joints,
            joints_kind="joint3d" if joints else None,
        )


def _textures(inside: Names, stem: str, alone: bool) -> tuple[str, ...]:
    """The material file, which names the images; without one, the image called like the scan."""
    materials = inside.first(f"{stem}.mtl") or (inside.materials() if alone else None)
    return (materials,) if materials else inside.images(stem, alone=False)


def _is_scan(name: str) -> bool:
    stem, _, ending = name.lower().rpartition(".")
    return bool(stem) and ending in _MESHES and name not in REGISTERED and not stem.endswith(_FITTED)


def _name(parts: tuple[str, ...], stem: str) -> str:
    """The id of a scan: no spaces, for they part the words of the lists that a build writes."""
    whole = parts if parts and parts[-1] == stem else (*parts, stem)
    return "__".join(whole).replace(" ", "_")
