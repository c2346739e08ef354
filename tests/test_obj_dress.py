"""What the triangles of an OBJ wear: materials to textures, safely and with nothing mixed up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import FormatError
from pipeline.formats.obj_read import read_obj
from pipeline.records import Mesh

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
COLORED = SQUARE.replace(" 0\nv ", " 0 1 0 0\nv ").replace("v 0 1 0\n", "v 0 1 0 1 0 0\n")
ONE, TWO = "f 1/1 2/2 3/3\n", "f 1/1 3/3 4/4\n"
RED = np.full((2, 3, 3), (255, 0, 0), dtype=np.uint8)
BLUE = np.full((4, 2, 3), (0, 0, 255), dtype=np.uint8)


def a_scan(folder: Path, obj: str, mtl: str | None = None, **pictures: np.ndarray) -> Path:
    """An OBJ with its materials and pictures; `red` is red.png."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.obj").write_text(obj)
    if mtl is not None:
        (folder / "a.mtl").write_text(mtl)
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder / "a.obj"


def worn(mesh: Mesh) -> list[tuple[int, ...] | None]:
    """The first pixel of what each triangle wears."""
    if mesh.face_textures is None:
        return [None] * len(mesh.faces)
    return [None if i < 0 else tuple(mesh.textures[i][0, 0].tolist()) for i in mesh.face_textures]


def test_each_triangle_wears_its_own_material(tmp_path: Path) -> None:
    pictures = {"r": "red.png", "b": "blue.png", "again": "./RED.png", "idle": "no.png"}
    mtl = "".join(f"newmtl {name}\nmap_Kd {picture}\n" for name, picture in pictures.items())
    obj = f"mtllib a.mtl\n{SQUARE}{ONE}usemtl idle\nusemtl r\n{TWO}g x\nusemtl b\n{ONE}{TWO}"
    obj += f"usemtl again\n{ONE}usemtl r\n{TWO}usemtl odd\n{ONE}"
    mesh = read_obj(a_scan(tmp_path, obj, mtl, red=RED, blue=BLUE))
    red, blue = (255, 0, 0), (0, 0, 255)
    assert worn(mesh) == [None, red, blue, blue, red, red, None]
    assert [t.shape for t in mesh.textures] == [RED.shape, BLUE.shape]
    assert mesh.faces[1].tolist() == [0, 2, 3]


def test_a_plain_colour_is_a_picture_of_one_pixel(tmp_path: Path) -> None:
    mtl = "newmtl a\nKd 1 0.5 0\nnewmtl b\nNs 3\nnewmtl c\nKd 1 0.5 0\n"
    obj = f"mtllib a.mtl\n{SQUARE}usemtl a\n{ONE}usemtl b\nf 1 2 3\nusemtl c\nf 1 2 3\n"
    mesh = read_obj(a_scan(tmp_path, obj, mtl))
    assert worn(mesh) == [(255, 128, 0), None, (255, 128, 0)]
    assert [t.shape for t in mesh.textures] == [(1, 1, 3)]


def test_a_triangle_without_coordinates_wears_no_picture(tmp_path: Path) -> None:
    obj = f"mtllib a.mtl\n{SQUARE}usemtl r\n{ONE}f 1 2 3\nf 1/1 2/2 3\n"
    mesh = read_obj(a_scan(tmp_path, obj, "newmtl r\nmap_Kd red.png\n", red=RED))
    assert worn(mesh) == [(255, 0, 0), None, None]
    assert mesh.face_uvs is not None
    assert mesh.face_uvs.tolist() == [[0, 1, 2], [-1, -1, -1], [0, 1, -1]]


def test_wrapping_coordinates_are_left_as_they_are(tmp_path: Path) -> None:
    obj = f"mtllib a.mtl\n{SQUARE}vt -3.5 7.25\nusemtl r\nf 1/1 2/2 3/5\n"
    mesh = read_obj(a_scan(tmp_path, obj, "newmtl r\nmap_Kd red.png\n", red=RED))
    assert mesh.uvs is not None
    assert mesh.uvs[4].tolist() == [-3.5, 7.25]


def test_scale_and_offset_move_only_the_triangles_of_their_material(tmp_path: Path) -> None:
    mtl = "newmtl r\nmap_Kd red.png\nnewmtl s\nmap_Kd -s 2 4 1 -o 0.5 -1 0 -bm 1 red.png\n"
    obj = f"mtllib a.mtl\n{SQUARE}usemtl r\n{ONE}usemtl s\n{TWO}usemtl r\n{TWO}usemtl s\nf 2/2 3/3 4\n"
    mesh = read_obj(a_scan(tmp_path, obj, mtl, red=RED))
    assert mesh.uvs is not None
    assert mesh.face_uvs is not None
    corners = mesh.uvs[mesh.face_uvs]
    assert corners[0].tolist() == [[0, 0], [1, 0], [1, 1]]
    assert corners[1].tolist() == [[0.5, -1], [2.5, 3], [0.5, 3]]
    assert corners[2].tolist() == [[0, 0], [1, 1], [0, 1]]
    assert corners[3, :2].tolist() == [[2.5, -1], [2.5, 3]]
    assert mesh.face_uvs[3, 2] == -1
    assert len(mesh.textures) == 1


def test_a_scale_that_leaves_no_number_is_refused(tmp_path: Path) -> None:
    obj = f"mtllib a.mtl\n{SQUARE}usemtl r\n{ONE}"
    path = a_scan(tmp_path, obj, "newmtl r\nmap_Kd -s 1e300 1 red.png\n", red=RED)
    with pytest.raises(FormatError, match="out of all bounds"):
        read_obj(path)


@pytest.mark.parametrize(
    "line", ["my materials.mtl", "MY MATERIALS.MTL", "other.mtl\nmtllib my materials.mtl"]
)
def test_material_files_may_have_spaces_and_be_several(tmp_path: Path, line: str) -> None:
    obj = f"mtllib {line}\n{SQUARE}usemtl a\n{ONE}"
    path = a_scan(tmp_path, obj)
    (tmp_path / "my materials.mtl").write_text("newmtl a\nKd 1 0 0\n")
    (tmp_path / "other.mtl").write_text("newmtl b\nKd 0 0 1\n")
    assert worn(read_obj(path)) == [(255, 0, 0)]
    path.write_text(obj.replace(line, "other.mtl third.mtl"))
    (tmp_path / "third.mtl").write_text("newmtl a\nKd 0 1 0\n")
    assert worn(read_obj(path)) == [(0, 255, 0)]


def test_a_missing_material_file_is_named_whole(tmp_path: Path) -> None:
    path = a_scan(tmp_path, f"mtllib my materials.mtl\n{SQUARE}usemtl a\n{ONE}", "newmtl a\n")
    with pytest.raises(FormatError, match=r"asks for 'my materials\.mtl'"):
        read_obj(path)
    path.write_text(path.read_text().replace("my materials", "a.mtl materials"))
    with pytest.raises(FormatError, match=r"asks for 'materials\.mtl'"):
        read_obj(path)


def test_pictures_are_found_from_the_material_files_folder(tmp_path: Path) -> None:
    obj = f"mtllib sub/a.mtl\n{SQUARE}usemtl r\n{ONE}"
    path = a_scan(tmp_path, obj)
    a_scan(tmp_path / "sub", "", "newmtl r\nmap_Kd ..\\tex\\RED.PNG\n")
    a_scan(tmp_path / "tex", "", red=RED)
    assert worn(read_obj(path)) == [(255, 0, 0)]


@pytest.mark.parametrize(("library", "picture"), [("../a.mtl", "red.png"), ("a.mtl", "../red.png")])
def test_nothing_outside_the_folder_is_opened_unless_it_is_under_the_root(
    tmp_path: Path, library: str, picture: str
) -> None:
    mtl = f"newmtl r\nmap_Kd {picture}\n"
    path = a_scan(tmp_path / "scan", f"mtllib {library}\n{SQUARE}usemtl r\n{ONE}", mtl, red=RED)
    a_scan(tmp_path, "", mtl, red=RED)
    with pytest.raises(FormatError, match="does not lead to a file under"):
        read_obj(path)
    assert worn(read_obj(path, root=tmp_path)) == [(255, 0, 0)]


@pytest.mark.parametrize("mtl", [None, "newmtl r\nmap_Kd absent.png\n"])
def test_what_is_missing_is_named_unless_the_vertices_have_colours(tmp_path: Path, mtl: str | None) -> None:
    rest = f"usemtl r\n{ONE}"
    with pytest.raises(FormatError, match="put it there"):
        read_obj(a_scan(tmp_path, f"mtllib a.mtl\n{SQUARE}{rest}", mtl))
    mesh = read_obj(a_scan(tmp_path, f"mtllib a.mtl\n{COLORED}{rest}", mtl))
    assert mesh.textures == ()
    assert mesh.face_textures is None
    assert mesh.colors is not None
    assert mesh.colors.tolist() == [[255, 0, 0]] * 4


def test_plain_colours_give_way_to_those_of_the_vertices_and_pictures_do_not(tmp_path: Path) -> None:
    mtl = "newmtl grey\nKd .8 .8 .8\nnewmtl b\nmap_Kd blue.png\n"
    obj = f"mtllib a.mtl\n{COLORED}usemtl grey\n{ONE}usemtl b\n{TWO}"
    mesh = read_obj(a_scan(tmp_path, obj, mtl, blue=BLUE))
    assert worn(mesh) == [None, (0, 0, 255)]
    assert mesh.colors is not None


def test_a_given_picture_takes_the_place_of_all_materials(tmp_path: Path) -> None:
    obj = f"mtllib absent.mtl\n{SQUARE}usemtl r\n{ONE}f 1 2 3\n"
    path = a_scan(tmp_path / "scan", obj)
    a_scan(tmp_path / "tex", "", red=RED)
    assert worn(read_obj(path, texture=tmp_path / "tex" / "red.png")) == [(255, 0, 0), None]
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(FormatError, match="no texture coordinates"):
        read_obj(path, texture=tmp_path / "tex" / "red.png")


def test_the_limit_of_pixels_is_for_all_textures_together(tmp_path: Path) -> None:
    mtl = "newmtl r\nmap_Kd red.png\nnewmtl b\nmap_Kd blue.png\n"
    path = a_scan(
        tmp_path, f"mtllib a.mtl\n{SQUARE}usemtl r\n{ONE}usemtl b\n{TWO}", mtl, red=RED, blue=BLUE
    )
    assert len(read_obj(path, most_pixels=14).textures) == 2
    with pytest.raises(FormatError, match=r"blue\.png: texture is 2 x 4 = 0 Mpx, over"):
        read_obj(path, most_pixels=13)


def test_pictures_are_read_anew_beside_a_cache(tmp_path: Path) -> None:
    path = a_scan(tmp_path, f"mtllib a.mtl\n{SQUARE}usemtl r\n{ONE}", "newmtl r\nmap_Kd red.png\n", red=RED)
    assert worn(read_obj(path, tmp_path / "cache")) == [(255, 0, 0)]
    Image.fromarray(BLUE).save(tmp_path / "red.png")
    assert worn(read_obj(path, tmp_path / "cache")) == [(0, 0, 255)]
    (tmp_path / "a.mtl").write_text("newmtl r\nKd 0 1 0\n")
    assert worn(read_obj(path, tmp_path / "cache")) == [(0, 255, 0)]
