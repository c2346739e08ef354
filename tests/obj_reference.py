"""OBJ files as strange as the format allows, and a reader that takes them a line and a word at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st


@dataclass
class Plain:
    """What a file says, in Python's own lists; indices from 0, -1 = not given."""

    vertices: list[list[float]] = field(default_factory=list)
    uvs: list[list[float]] = field(default_factory=list)
    normals: list[list[float]] = field(default_factory=list)
    triangles: list[list[tuple[int, int, int]]] = field(default_factory=list)
    materials: list[str | None] = field(default_factory=list)


def read_plainly(text: str) -> Plain:
    """The file's text, line by line."""
    said = Plain()
    material: str | None = None
    for line in text.replace("\r\n", "\n").replace("\\\n", " ").split("\n"):
        words = line.split("#")[0].split()
        if not words:
            continue
        match words[0]:
            case "v":
                said.vertices.append([float(w) for w in words[1:]])
            case "vt":
                said.uvs.append([float(w) for w in words[1:]])
            case "vn":
                said.normals.append([float(w) for w in words[1:]])
            case "usemtl":
                material = line.split(None, 1)[1].strip()
            case "f":
                corners = [_corner(word, said) for word in words[1:]]
                for i in range(1, len(corners) - 1):
                    said.triangles.append([corners[0], corners[i], corners[i + 1]])
                    said.materials.append(material)
    return said


def _corner(word: str, said: Plain) -> tuple[int, int, int]:
    parts = [*word.split("/"), "", ""][:3]
    known = (len(said.vertices), len(said.uvs), len(said.normals))
    found = [_index(part, have) for part, have in zip(parts, known, strict=True)]
    return found[0], found[1], found[2]


def _index(part: str, have: int) -> int:
    if not part:
        return -1
    return int(part) - 1 if int(part) > 0 else have + int(part)


_NUMBERS = st.floats(-1e6, 1e6, width=32).map(repr) | st.sampled_from(["1e-3", "+2.5E+1", ".5", "-3.", "7"])
_OTHERS = ["", " ", "# f 1 2 3", "g a b", "s off", "o x", "usemtl a", "usemtl b c", "l 1 2", "vp 1", "vtx"]
_KINDS = st.sampled_from(["v", "v", "vt", "vn", "f", "f", "f", "other"])


def _pointing(draw: st.DrawFn, count: dict[str, int], style: int) -> str:
    """A corner of a face in one of the ways to write it, as far as there is something to point at."""

    def index(word: str) -> str:
        return str(draw(st.integers(1, count[word]) | st.integers(-count[word], -1)))

    if style == 1 and count["vt"]:
        return f"{index('v')}/{index('vt')}"
    if style == 2 and count["vn"]:
        return f"{index('v')}//{index('vn')}"
    if style == 3 and count["vt"] and count["vn"]:
        return f"{index('v')}/{index('vt')}/{index('vn')}"
    return index("v") + {4: "/", 5: "//"}.get(style, "")


@st.composite
def obj_files(draw: st.DrawFn) -> str:
    """A file's text, in which every index points at something."""
    count = {"v": 0, "vt": 0, "vn": 0}
    lines = []
    widths = {"v": 3, "vt": draw(st.integers(2, 3)), "vn": 3}
    alike = draw(st.none() | st.integers(0, 5))
    for _ in range(draw(st.integers(3, 30))):
        kind = draw(_KINDS)
        gap = draw(st.sampled_from([" ", "  ", "\t", " \\\n "]))
        end = draw(st.sampled_from(["", "", " ", " # half 1/2"]))
        if kind in count:
            numbers = [draw(_NUMBERS) for _ in range(widths[kind])]
            lines.append(draw(st.sampled_from(["", "", " ", "\t"])) + gap.join([kind, *numbers]) + end)
            count[kind] += 1
        elif kind == "f" and count["v"]:
            corners = range(draw(st.integers(3, 6)))
            styles = [draw(st.integers(0, 5)) if alike is None else alike for _ in corners]
            lines.append(gap.join(["f", *(_pointing(draw, count, style) for style in styles)]) + end)
        else:
            lines.append(draw(st.sampled_from(_OTHERS)))
    if not count["v"]:
        lines.append("v 1 2 3")
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return newline.join(lines) + draw(st.sampled_from(["", newline]))
