"""What of a glTF tree is to be decoded: a smaller tree that keeps what makes a mesh, every number checked.

The decoder believes its tree; so it is handed only what cannot lead it outside the buffers, round in
circles, or into far more memory than the file takes. Refuses to decode.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import FormatError
from pipeline.formats.gltf_package import Node, Package, item
from pipeline.formats.gltf_scene import check_repeats, scene_of

UV, COLOR = "_UV", "_COLOR"  # names that the decoder hands on as they are
_SIZES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_FLOAT, _UNSIGNED, _SHARES = {5126}, {5121, 5123, 5125}, {5126, 5121, 5123}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_KNOWN = ("KHR_materials_", "KHR_lights_punctual", "EXT_texture_webp", "KHR_texture_basisu")
_GLOSS = "KHR_materials_pbrSpecularGlossiness"
_MOST_PICTURE = 1 << 30  # bytes of a picture's file


@dataclass(frozen=True, slots=True)
class Plan:
    """A tree for the decoder, its buffers, and its `primitives` in order: the way to each, and its picture.

    `pictures` are the bytes of those that are used, and the ways to them.
    """

    tree: dict[str, Any]
    buffers: dict[str, memoryview]
    primitives: list[tuple[str, int | None]]
    pictures: dict[int, tuple[str, memoryview]]


@dataclass(slots=True)
class _Planner:
    """Collects the accessors that are used, each once."""

    package: Package
    buffers: dict[int, memoryview] = field(default_factory=dict)
    views: list[dict[str, int]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)

    def accessor(
        self, index: int, kinds: set[int], shapes: set[str], owner: Node
    ) -> tuple[int, dict[str, Any]]:
        """The place of an accessor in the new tree, and what it says."""
        source = item(self.package.tree, "accessors", index, owner)
        if source.get("sparse") is not None or source.get("bufferView") is None:
            raise source.fault("is sparse or empty; export the scan without sparse accessors")
        kind, shape = source.whole("componentType"), source.text("type")
        if kind not in kinds or shape not in shapes:
            raise source.fault(
                f"has component type {kind} and type {shape[:20]}, which {owner.way} cannot have"
            )
        if index not in self.places:
            self.places[index] = len(self.accessors)
            self.accessors.append(self._checked(source, kind, shape))
        return self.places[index], self.accessors[self.places[index]]

    def _checked(self, source: Node, kind: int, shape: str) -> dict[str, Any]:
        """An accessor with a view of its own, inside its buffer."""
        view = item(self.package.tree, "bufferViews", source.whole("bufferView"), source)
        content = self.buffer(view.whole("buffer"), view)
        start, length = view.whole("byteOffset", 0), view.whole("byteLength")
        width, count, offset = (
            _SIZES[kind] * _WIDTHS[shape],
            source.whole("count"),
            source.whole("byteOffset", 0),
        )
        stride = view.whole("byteStride", width)
        if start + length > len(content):
            raise view.fault(f"ends at byte {start + length} of {len(content)}; is the file cut off?")
        if stride < width:
            raise view.fault(f"byteStride is {stride}; {width} is the least here")
        if not count or offset + (count - 1) * stride + width > length:
            raise source.fault(
                f"has {count} values, which do not fill or do not fit the {length} bytes of its view"
            )
        new = {"buffer": view.whole("buffer"), "byteOffset": start + offset, "byteLength": length - offset}
        self.views.append(new | ({"byteStride": stride} if stride > width else {}))
        return {"bufferView": len(self.views) - 1, "componentType": kind, "type": shape, "count": count}

    def picture(self, index: int) -> tuple[str, memoryview]:
        """The bytes of a picture, and the way to it."""
        source = item(self.package.tree, "images", index, Node(None, "textures."))
        if source.get("uri") is not None:
            return source.way.rstrip("."), self.package.content(source, _MOST_PICTURE)
        view = item(self.package.tree, "bufferViews", source.whole("bufferView"), source)
        content = self.buffer(view.whole("buffer"), view)
        start = view.whole("byteOffset", 0)
        return source.way.rstrip("."), content[start : start + view.whole("byteLength")]

    def buffer(self, index: int, owner: Node) -> memoryview:
        """The bytes of a buffer, read once."""
        if index not in self.buffers:
            source = item(self.package.tree, "buffers", index, owner)
            length = source.whole("byteLength")
            if source.get("uri") is not None:
                content = self.package.content(source, length)
            elif index == 0 and self.package.chunk is not None:
                content = self.package.chunk
            else:
                raise source.fault("has no bytes; it needs a uri")
            if len(content) < length:
                raise source.fault(f"says it has {length} bytes, but has {len(content)}; is it cut off?")
            self.buffers[index] = content[:length]
        return self.buffers[index]


def plan(package: Package) -> Plan:
    """What to decode, in the order of the file."""
    tree = package.tree
    asset = tree.get("asset")
    version = asset.text("version") if asset else "none"
    if not version.startswith("2."):
        raise FormatError(f"asset: is version {version[:20]!r} of glTF; only 2 is read")
    for extension in tree.items("extensionsRequired"):
        if not str(extension.value).startswith(_KNOWN):
            raise extension.fault(
                f"needs {str(extension.value)[:60]!r}, which is not read; export without it"
            )
    planner = _Planner(package)
    meshes, costs, primitives = [], [], []
    for mesh in tree.items("meshes"):
        planned = [(p.way.rstrip("."), _primitive(p, planner)) for p in mesh.items("primitives")]
        kept = [(way, *p) for way, p in planned if p is not None]
        meshes.append({"primitives": [new for _, new, _, _ in kept]})
        costs.append(sum(cost for _, _, cost, _ in kept))
        primitives += [(way, picture) for way, _, _, picture in kept]
    nodes, roots = scene_of(tree, [bool(m["primitives"]) for m in meshes])
    check_repeats(nodes, roots, costs, sum(len(b) for b in planner.buffers.values()))
    used = sorted({picture for _, picture in primitives if picture is not None})
    pictures = {index: planner.picture(index) for index in used}
    buffers = [planner.buffers.get(i, memoryview(b"")) for i in range(1 + max(planner.buffers, default=-1))]
    small = {
        "asset": {"version": "2.0"},
        "buffers": [{"uri": str(i)} for i in range(len(buffers))],
        "bufferViews": planner.views,
        "accessors": planner.accessors,
        "meshes": meshes,
        "nodes": nodes,
        "scenes": [{"nodes": roots}],
        "scene": 0,
    }
    return Plan(small, {str(i): content for i, content in enumerate(buffers)}, primitives, pictures)


def _primitive(source: Node, planner: _Planner) -> tuple[dict[str, Any], int, int | None] | None:
    """A primitive of triangles, the bytes it takes, and its picture; None for points and lines."""
    mode = source.whole("mode", _TRIANGLES)
    if mode == _FAN:
        raise source.fault("is a fan of triangles, which is not read; export plain triangles")
    if mode not in {_TRIANGLES, _STRIP}:
        return None
    attributes = source.get("attributes") or source
    place, position = planner.accessor(attributes.whole("POSITION"), _FLOAT, {"VEC3"}, attributes)
    picture, uv_set = _picture(source, planner.package.tree)
    new: dict[str, Any] = {"mode": mode, "attributes": {"POSITION": place}}
    for name, new_name, kinds, shapes in (
        ("NORMAL", "NORMAL", _FLOAT, {"VEC3"}),
        (f"TEXCOORD_{uv_set}", UV, _SHARES, {"VEC2"}),
        ("COLOR_0", COLOR, _SHARES, {"VEC3", "VEC4"}),
    ):
        if attributes.get(name) is not None:
            new["attributes"][new_name], other = planner.accessor(
                attributes.whole(name), kinds, shapes, attributes
            )
            if other["count"] != position["count"]:
                raise attributes.fault(
                    f"{name} has {other['count']} values for {position['count']} vertices"
                )
    corners = position["count"]
    if source.get("indices") is not None:
        new["indices"], indices = planner.accessor(source.whole("indices"), _UNSIGNED, {"SCALAR"}, source)
        corners = indices["count"]
    if corners < 3 or (mode == _TRIANGLES and corners % 3):
        raise source.fault(f"has {corners} corners, which make no whole triangles")
    faces = corners - 2 if mode == _STRIP else corners // 3
    return new, 12 * faces + 32 * min(position["count"], corners), picture


def _picture(source: Node, tree: Node) -> tuple[int | None, int]:
    """The image that gives a primitive its colour, if there is one, and which coordinates it goes by."""
    if source.get("material") is None:
        return None, 0
    material = item(tree, "materials", source.whole("material"), source)
    pbr = material.get("pbrMetallicRoughness")
    texture = pbr.get("baseColorTexture") if pbr else None
    extensions = material.get("extensions")
    gloss = extensions.get(_GLOSS) if extensions else None
    texture = texture or (gloss.get("diffuseTexture") if gloss else None)
    if texture is None:
        return None, 0
    own = texture.get("extensions")
    if own and own.get("KHR_texture_transform") is not None:
        raise texture.fault(
            "moves its texture (KHR_texture_transform), which is not read; export without it"
        )
    holder = item(tree, "textures", texture.whole("index"), texture)
    more = holder.get("extensions")
    webp = more.get("EXT_texture_webp") if more else None
    if webp is None and holder.get("source") is None:
        raise holder.fault("has no picture that can be read; export it with PNG or JPEG textures")
    return (webp or holder).whole("source"), texture.whole("texCoord", 0, most=64)
