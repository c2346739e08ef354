"""Which meshes a glTF scene shows, and where: its nodes, checked to be a tree.

Refuses to know what the meshes are.
"""

from __future__ import annotations

import math
from typing import Any

from pipeline.errors import FormatError
from pipeline.formats.gltf_package import Node

_REPEATS = 16  # how many times its own size a scene may be, by showing a mesh many times


def scene_of(tree: Node, drawn: list[bool]) -> tuple[list[dict[str, Any]], list[int]]:
    """All nodes, with their places and meshes, and those of the scene that are nobody's children.

    Last first, because that is the order in which the decoder does not take them.
    """
    sources = tree.items("nodes")
    if not sources:
        return [{"mesh": i} for i, some in enumerate(drawn) if some], list(range(sum(drawn)))[::-1]
    nodes, parents = [], [False] * len(sources)
    for source in sources:
        node = _place(source)
        if source.get("mesh") is not None:
            mesh = source.whole("mesh", most=max(len(drawn), 1))
            node |= {"mesh": mesh} if drawn and drawn[mesh] else {}
        node["children"] = []
        for child in source.items("children"):
            index = Node({"node": child.value}, child.way).whole("node", most=len(sources))
            if parents[index]:
                raise child.fault(f"node {index} has two parents; a scene is a tree")
            parents[index] = True
            node["children"].append(index)
        node["children"].reverse()
        nodes.append(node)
    scenes = tree.items("scenes")
    if not scenes:
        return nodes, [i for i, has_parent in enumerate(parents) if not has_parent][::-1]
    scene = scenes[tree.whole("scene", 0, most=len(scenes))]
    roots = [Node({"node": r.value}, r.way).whole("node", most=len(sources)) for r in scene.items("nodes")]
    if len(set(roots)) < len(roots) or any(parents[root] for root in roots):
        raise scene.fault("names a node twice, or one that has a parent; a scene is a tree")
    return nodes, roots[::-1]


def _place(source: Node) -> dict[str, Any]:
    """Where a node is in its parent, as it says it."""
    node = {}
    for name, size in (("matrix", 16), ("translation", 3), ("rotation", 4), ("scale", 3)):
        if source.get(name) is not None:
            values = [item.value for item in source.items(name)]
            numbers = [
                v for v in values if isinstance(v, int | float) and abs(v) < 1e30 and math.isfinite(v)
            ]
            if len(values) != size or len(numbers) != size or (name == "rotation" and not any(numbers)):
                raise source.fault(f"{name} needs {size} finite numbers")
            node[name] = [float(number) for number in numbers]
    return node


def check_repeats(nodes: list[dict[str, Any]], roots: list[int], costs: list[int], size: int) -> None:
    """Refuse a small file that asks for a large scene."""
    waiting, total = list(roots), 0
    while waiting:
        node = nodes[waiting.pop()]
        total += costs[node["mesh"]] if "mesh" in node else 0
        waiting += node.get("children", [])
    if total > _REPEATS * size + (1 << 20):
        raise FormatError(
            f"scenes: asks for {total} bytes of mesh out of {size}; does it show a mesh many times?"
        )
