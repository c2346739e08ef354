"""The parts of a GLB or glTF file: its tree of names and numbers, its buffers and pictures.

Refuses to reach beyond the file's own folder or onto a network, and to know what the tree means.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipeline.errors import FormatError
from pipeline.formats.texture import locate

_MAGIC, _JSON, _BINARY = b"glTF", b"JSON", b"BIN\x00"
_HEAD = 12  # bytes: magic, version, length
_CHUNK = 8  # bytes: length, kind
_LIMIT = 1 << 32
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:|//")
_MOST_ITEMS = 1 << 16  # each takes a hundred times the room that it takes in the file


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the tree, and the way to it, so that an error can say where it is."""

    value: Any
    way: str

    def items(self, key: str) -> list[Node]:
        """The values of a list, which may be left out."""
        values = Node(self._of(dict).get(key, []), f"{self.way}{key}.")
        count = len(values._of(list))
        if count > _MOST_ITEMS:
            raise values.fault(f"has {count} items, over {_MOST_ITEMS}; export the scan as fewer parts")
        return [Node(value, f"{self.way}{key}[{i}].") for i, value in enumerate(values.value)]

    def get(self, key: str) -> Node | None:
        """A value that may be left out."""
        values = self._of(dict)
        return Node(values[key], f"{self.way}{key}.") if key in values else None

    def whole(self, key: str, default: int | None = None, most: int = _LIMIT) -> int:
        """A whole number from 0 and below `most`."""
        value = self._of(dict).get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < most:
            raise self.fault(f"{key} is {_shown(value)}; a whole number from 0 to {most - 1} is needed")
        return value

    def text(self, key: str) -> str:
        """A string."""
        value = self._of(dict).get(key)
        if not isinstance(value, str):
            raise self.fault(f"{key} is {_shown(value)}; a text is needed")
        return value

    def fault(self, what: str) -> FormatError:
        """What is wrong here."""
        return FormatError(f"{self.way.rstrip('.') or 'its tree'}: {what}")

    def _of(self, kind: type) -> Any:  # noqa: ANN401  a dict or a list, as asked
        if not isinstance(self.value, kind):
            raise self.fault(
                f"is {_shown(self.value)}; {'an object' if kind is dict else 'a list'} is needed"
            )
        return self.value


@dataclass(frozen=True, slots=True)
class Package:
    """The tree of a file, and the bytes of its own chunk where it has one."""

    path: Path
    tree: Node
    chunk: memoryview | None

    def content(self, holder: Node, most: int) -> memoryview:
        """What a `uri` holds: data written in it, or the first `most` bytes of a file in the folder."""
        uri = holder.text("uri")
        if uri.startswith("data:"):
            head, _, body = uri.partition(",")
            if not head.endswith(";base64"):
                raise holder.fault("uri is data that is not base64")
            try:
                return memoryview(base64.b64decode(body, validate=True))
            except (binascii.Error, ValueError) as error:
                raise holder.fault(f"uri is not whole base64: {error}") from error
        if _ELSEWHERE.match(uri):
            raise holder.fault(f"uri {_shown(uri)} is not a file beside this one; nothing is fetched")
        folder = self.path.parent
        try:
            with locate(unquote(uri), folder, folder).open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                return memoryview(stream.read(min(most, size)))
        except (OSError, ValueError) as error:
            raise holder.fault(f"uri {_shown(uri)} cannot be read: {error}") from error

    def beside(self) -> Iterator[str]:
        """The names of files beside this one that it has its buffers and pictures from."""
        tree = self.tree.value if isinstance(self.tree.value, dict) else {}
        lists = [tree.get(name) for name in ("buffers", "images")]
        for holder in (holder for some in lists if isinstance(some, list) for holder in some):
            uri = holder.get("uri") if isinstance(holder, dict) else None
            if isinstance(uri, str) and not _ELSEWHERE.match(uri):
                yield unquote(uri)


def item(tree: Node, name: str, index: int, owner: Node) -> Node:
    """One item of a list of the tree."""
    items = tree.value.get(name)
    if not isinstance(items, list) or index >= len(items):
        raise owner.fault(f"names {name}[{index}], which is not there")
    return Node(items[index], f"{name}[{index}].")


def open_package(path: Path) -> Package:
    """The parts of a file; which kind it is, its first bytes tell."""
    if path.exists() and not path.is_file():  # a pipe could go on for ever
        raise FormatError("is not a file")
    content = memoryview(path.read_bytes())
    if content[:4] != _MAGIC:
        return Package(path, _tree(content), None)
    chunks = dict(reversed(list(_chunks(content))))
    if _JSON not in chunks:
        raise FormatError(f"byte {_HEAD}: has no JSON chunk")
    return Package(path, _tree(chunks[_JSON]), chunks.get(_BINARY))


def _chunks(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The kinds and contents of a GLB file's chunks."""
    version, length = (int.from_bytes(content[i : i + 4], "little") for i in (4, 8))
    if version != 2:
        raise FormatError(f"byte 4: is version {version} of GLB; only 2 is read")
    if not _HEAD <= length <= len(content):
        raise FormatError(f"byte 8: says it has {length} bytes, but has {len(content)}; is it cut off?")
    at = _HEAD
    while at < length:
        size, kind = int.from_bytes(content[at : at + 4], "little"), bytes(content[at + 4 : at + _CHUNK])
        if at + _CHUNK + size > length:
            raise FormatError(f"byte {at}: has a chunk of {size} bytes, more than follow; is it cut off?")
        yield kind, content[at + _CHUNK : at + _CHUNK + size]
        at += _CHUNK + size


def _tree(content: memoryview) -> Node:
    try:
        return Node(json.loads(bytes(content).decode("utf-8-sig")), "")
    except json.JSONDecodeError as error:
        raise FormatError(
            f"line {error.lineno}, column {error.colno}: not a glTF tree: {error.msg}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"byte 0: not a glTF tree: {error}") from error


def _shown(value: object) -> str:
    """A value of the file as an error may print it."""
    return repr(value)[:80] if isinstance(value, str | int | float | bool | None) else type(value).__name__
