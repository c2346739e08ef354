"""A second writer of glTF, from the format's description, so that tests know every byte."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

KINDS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
SHAPES = {0: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


class Writer:
    """Collects arrays and pictures; `tree` is open to whatever a test wants in it."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.tree: dict[str, Any] = {
            "asset": {"version": "2.0"},
            **{name: [] for name in ("bufferViews", "accessors", "meshes", "nodes", "materials")},
            **{name: [] for name in ("textures", "images")},
            "scenes": [{"nodes": []}],
            "scene": 0,
        }

    def add(self, name: str, value: dict[str, Any]) -> int:
        """Append to a list of the tree; its place."""
        self.tree[name].append(value)
        return len(self.tree[name]) - 1

    def view(self, content: bytes, **more: int) -> int:
        """A view of bytes of its own."""
        self.content += bytes(-len(self.content) % 4)
        view = {"buffer": 0, "byteOffset": len(self.content), "byteLength": len(content), **more}
        self.content += content
        return self.add("bufferViews", view)

    def array(self, values: npt.NDArray[Any], gap: int = 0) -> int:
        """An accessor of an array (N,) or (N, 2..4), with `gap` bytes between its rows."""
        kind = np.dtype(values.dtype).str[1:]
        rows = [row.tobytes() + b"\xee" * gap for row in values] if gap else [values.tobytes()]
        width = values.itemsize * (values.shape[1] if values.ndim > 1 else 1)
        view = self.view(b"".join(rows), **({"byteStride": width + gap} if gap else {}))
        shape = SHAPES[values.shape[1] if values.ndim > 1 else 0]
        accessor = {"bufferView": view, "componentType": KINDS[kind], "type": shape, "count": len(values)}
        return self.add("accessors", accessor)

    def material(self, picture: npt.NDArray[np.uint8], **texture: int) -> int:
        """A material coloured by a picture in the buffer."""
        return self.material_of(self.add("images", {"bufferView": self.view(png(picture))}), **texture)

    def material_of(self, image: int, **texture: int) -> int:
        """A material coloured by an image of the tree."""
        place = self.add("textures", {"source": image})
        return self.add(
            "materials", {"pbrMetallicRoughness": {"baseColorTexture": {"index": place, **texture}}}
        )

    def mesh(self, *primitives: dict[str, Any]) -> int:
        """A mesh of primitives."""
        return self.add("meshes", {"primitives": list(primitives)})

    def show(self, mesh: int, **place: list[float] | list[int]) -> int:
        """A node of the scene."""
        self.tree["scenes"][0]["nodes"].append(self.add("nodes", {"mesh": mesh, **place}))
        return len(self.tree["nodes"]) - 1

    def glb(self) -> bytes:
        """Everything in one binary file."""
        self.content += bytes(-len(self.content) % 4)
        self.tree["buffers"] = [{"byteLength": len(self.content)}]
        return glb(json.dumps(self.tree).encode(), bytes(self.content))

    def gltf(self, uri: str | None = None) -> bytes:
        """The tree as text, with the buffer in it or under another name."""
        inside = f"data:application/octet-stream;base64,{base64.b64encode(self.content).decode()}"
        self.tree["buffers"] = [{"byteLength": len(self.content), "uri": uri or inside}]
        return json.dumps(self.tree, indent=1).encode()


def glb(tree: bytes, content: bytes) -> bytes:
    """Two chunks and their header."""
    tree += b" " * (-len(tree) % 4)
    length = 12 + 8 + len(tree) + 8 + len(content)
    head = b"glTF" + np.array([2, length], dtype="<u4").tobytes()
    return head + _size(tree) + b"JSON" + tree + _size(content) + b"BIN\x00" + content


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    """A picture as PNG."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG")
    return stream.getvalue()


def _size(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little")
