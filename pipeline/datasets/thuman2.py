"""THuman 2.0 and 2.1: `data/{id}/{id}.obj` or `{id}/{id}.obj`; `smplx/{id}` beside; joints in Joint3D."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.datasets.places import REGISTERED, Names, SplitOf, Tree
from pipeline.records import Subject

FACTS = ("mesh", "textures", "parameters", "registered", "joints")
LAST_OF_2_0 = 525  # those after it came with 2.1, and their bodies are in another scale and place
_DATA, _FITTED = "data", "smplx"


def find(tree: Tree, split_of: SplitOf) -> Iterator[Subject]:
    """Everybody who has a scan or a body fitted to one."""
    root = f"obj/{tree.dataset}"
    joint_files = tree.joint3d()
    bodies = set(tree.names(f"{root}/{_FITTED}").folders)
    places = [(name, f"{root}/{_DATA}/{name}") for name in tree.names(f"{root}/{_DATA}").folders]
    places += [(n, f"{root}/{n}") for n in tree.names(root).folders if n not in (_DATA, _FITTED)]
    places += [(name, "") for name in sorted(bodies - {name for name, _ in places})]
    for name, folder in places:
        inside = tree.names(folder) if folder else Names()
        fitted = tree.names(f"{root}/{_FITTED}/{name}") if name in bodies else Names()
        joints = joint_files.first(f"{name}.json")
        subject = Subject(
            dataset=tree.dataset,
            id=name,
            split=split_of(name),
            mesh=inside.first(f"{name}.obj"),
            textures=inside.images("material0"),
            parameters=fitted.first("smplx_param.pkl") or fitted.parameters(name),
            registered=fitted.first(*REGISTERED),
            joints=joints,
            joints_kind="joint3d" if joints else None,
            gender="male",
            attributes=(("release", _release(name)),) if name.isdecimal() else (),
        )
        if subject.mesh or subject.parameters or subject.registered:
            yield subject


def _release(name: str) -> str:
    return "2.0" if int(name) <= LAST_OF_2_0 else "2.1"
