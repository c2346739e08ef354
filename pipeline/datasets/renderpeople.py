"""RenderPeople: `rp_{name}_posed_{nnn}_OBJ` with meshes of several sizes and `tex`; joints in Joint3D."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.datasets.places import REGISTERED, Names, SplitOf, Tree
from pipeline.records import Subject

FACTS = ("mesh", "textures", "parameters", "registered", "joints")
_FOLDER = re.compile(r"(rp_.+)_obj", re.IGNORECASE)
_SIZES = ("_100k", "_200k", "_30k", "")  # the size that the published loaders read comes first
_COLOURS = ("_dif_8k", "_dif", "_dif_4k", "_dif_2k")


def find(tree: Tree, split_of: SplitOf) -> Iterator[Subject]:
    """Everybody in a folder whose name says so."""
    root = f"obj/{tree.dataset}"
    joint_files = tree.joint3d()
    for folder in tree.names(root).folders:
        found = _FOLDER.fullmatch(folder)
        if not found:
            continue
        name = found[1]
        inside = tree.names(f"{root}/{folder}")
        joints = joint_files.first(f"{name}.json", f"{folder}.json")
        yield Subject(
            dataset=tree.dataset,
            id=name,
            split=split_of(name),
            mesh=inside.first(*(f"{name}{size}.obj" for size in _SIZES)),
            textures=_texture(name, tree.names(f"{root}/{folder}/tex"), inside),
            parameters=inside.parameters(name),
            registered=inside.first(*REGISTERED),
            joints=joints,
            joints_kind="joint3d" if joints else None,
        )


def _texture(name: str, *places: Names) -> tuple[str, ...]:
    """The largest texture of colours, in `tex` or beside the mesh."""
    wanted = [f"{name}{kind}{end}" for kind in _COLOURS for end in (".jpg", ".jpeg", ".png")]
    image = next((path for place in places if (path := place.first(*wanted))), None)
    return (image,) if image else ()
