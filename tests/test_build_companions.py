"""Builds of scans whose files name others: what changes there is made again, and nothing else."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from building import Heard, build
from gltf_writer import Writer
from PIL import Image
from test_build_again import touch

from manifests.read import open_manifest
from manifests.schema import rows_of
from pipeline import audit
from pipeline.config import ListRequest, RenderRequest
from pipeline.formats.obj import write_obj
from pipeline.records import F32, Mesh
from pipeline.rows import RejectRow, ScanRow

SCANS = ("anna", "berta")
VIEWS = 2


def sphere() -> tuple[F32, F32, np.ndarray]:
    """Places, places on the picture, and faces."""
    ball = trimesh.creation.icosphere(2)
    places = (ball.vertices * [40, 90, 30]).astype(np.float32)
    return places, ((ball.vertices[:, :2] + 1) / 2).astype(np.float32), ball.faces.astype(np.int32)


def paint(path: Path, shade: int) -> None:
    """A picture of one colour; all are of the same length, and newer than those before."""
    newer = path.stat().st_mtime_ns + 1_000_000 if path.exists() else None
    Image.fromarray(np.full((4, 4, 3), shade, np.uint8)).save(path)
    if newer:
        os.utime(path, ns=(newer, newer))


def add_obj(data: Path, name: str) -> Path:
    """A person whose materials name a picture."""
    path = data / "obj" / "ours" / name / f"{name}.obj"
    path.parent.mkdir(parents=True)
    places, uvs, faces = sphere()
    red = np.full((4, 4, 3), 200, np.uint8)
    worn = np.zeros(len(faces), np.int32)
    mesh = Mesh(places, faces, uvs=uvs, face_uvs=faces, textures=(red,), face_textures=worn)
    write_obj(path, mesh, f"{name}.mtl", "skin.png")
    materials = path.with_suffix(".mtl")
    materials.write_text(materials.read_text().replace("skin.png", "skin.bmp"))
    (path.parent / "skin.png").unlink()
    paint(path.parent / "skin.bmp", 200)
    return path


def add_gltf(data: Path, name: str) -> Path:
    """The same with a buffer and a picture beside."""
    path = data / "obj" / "ours" / name / f"{name}.gltf"
    path.parent.mkdir(parents=True)
    places, uvs, faces = sphere()
    writer = Writer()
    attributes = {"POSITION": writer.array(places), "TEXCOORD_0": writer.array(uvs)}
    corners = writer.array(faces.astype("<u4").ravel())
    material = writer.material_of(writer.add("images", {"uri": "skin.bmp"}))
    writer.show(writer.mesh({"attributes": attributes, "indices": corners, "material": material}))
    path.write_bytes(writer.gltf("a.bin"))
    (path.parent / "a.bin").write_bytes(writer.content)
    paint(path.parent / "skin.bmp", 200)
    return path


def asked(data: Path) -> RenderRequest:
    return RenderRequest("ours", data, layout="folder", yaws=(0.0, 90.0), size=32)


def made(data: Path) -> dict[str, tuple[int, str]]:
    """Every picture, when it was made, and what is in it."""
    files = sorted(path for path in (data / "PERS").rglob("*") if path.is_file())
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    facts = ((path.stat().st_mtime_ns, digest) for path, digest in zip(files, digests, strict=True))
    return dict(zip((str(path.relative_to(data)) for path in files), facts, strict=True))


def rows(data: Path) -> tuple[dict[str, ScanRow], dict[str, RejectRow]]:
    """What the manifest has of scans, and of rejects."""
    manifest = open_manifest(data / "manifests" / "ours")
    scans, rejects = rows_of(ScanRow, manifest.scans()), rows_of(RejectRow, manifest.rejects())
    return {row.scan: row for row in scans}, {row.scan: row for row in rejects}


def is_whole(data: Path) -> bool:
    return audit.status(ListRequest("ours", data, layout="folder")).is_whole


@pytest.fixture(params=[add_obj, add_gltf], ids=["obj", "gltf"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Two people that were built; the first one's files are to be changed."""
    for name in SCANS:
        request.param(tmp_path, name)
    done = build(asked(tmp_path))
    assert (done.scans_made, done.views_made, done.rejects) == (2, 2 * VIEWS, {})
    return tmp_path


def skin(data: Path) -> Path:
    return data / "obj" / "ours" / "anna" / "skin.bmp"


def is_of(scan: str, name: str) -> bool:
    return Path(name).name.startswith(scan)


def test_rows_say_what_was_read(data: Path) -> None:
    scans, _ = rows(data)
    for name, row in scans.items():
        folder = f"obj/ours/{name}"
        read = {file.path for file in row.sources}
        assert read == {f"{folder}/{path.name}" for path in (data / folder).iterdir()}
        assert f"{folder}/skin.bmp" in row.named and set(row.named) < read


def test_a_picture_with_other_pixels_is_its_scan_made_again(data: Path) -> None:
    before = made(data)
    paint(skin(data), 90)
    assert not is_whole(data)
    done = build(asked(data))
    assert (done.scans_made, done.views_made, done.scans_kept) == (1, VIEWS, 1)
    after = made(data)
    assert {name for name in before if before[name][0] != after[name][0]} == {
        name for name in before if is_of("anna", name)
    }
    colors = {name for name in before if "COLOR" in name and is_of("anna", name)}
    assert {name for name in before if before[name][1] != after[name][1]} == colors
    assert is_whole(data)
    assert build(asked(data)).scans_kept == 2 and made(data) == after


def test_a_picture_with_the_same_pixels_is_only_looked_at(data: Path) -> None:
    before, (scans, _) = made(data), rows(data)
    touch(skin(data))
    done = build(asked(data))
    assert (done.scans_made, done.views_made, done.images, done.scans_kept) == (0, 0, 0, 2)
    assert made(data) == before
    after, _ = rows(data)
    assert after["anna"].stamp != scans["anna"].stamp and after["berta"] == scans["berta"]
    assert after["anna"].source_key == scans["anna"].source_key
    assert is_whole(data)
    moments = {path: path.stat().st_mtime_ns for path in (data / "manifests" / "ours").glob("*.parquet")}
    assert build(asked(data)).views_kept == 2 * VIEWS
    assert all(path.stat().st_mtime_ns == moment for path, moment in moments.items())


def test_what_is_known_of_a_scan_stays_while_more_is_asked_of_it(data: Path) -> None:
    scans, _ = rows(data)
    wish = replace(asked(data), yaws=(0.0, 90.0, 180.0))
    assert build(wish).views_made == 2
    assert rows(data)[0] == scans
    assert build(wish).views_kept == 2 * 3


def test_who_is_left_out_is_not_looked_at_again(data: Path) -> None:
    (data / "obj" / "ours" / "overrides.toml").write_text("[anna]\nexclude = true\n", encoding="utf-8")
    assert build(asked(data)).rejects == {("read", "Excluded"): 1}
    assert build(asked(data)).rejects == {}
    touch(skin(data))
    assert build(asked(data)).rejects == {("read", "Excluded"): 1}


def test_a_picture_that_is_not_there_is_waited_for(data: Path) -> None:
    content, before = skin(data).read_bytes(), made(data)
    skin(data).unlink()
    assert build(asked(data)).rejects == {("align", "FormatError"): 1}
    assert f"{skin(data).relative_to(data)}" in rows(data)[1]["anna"].named
    done = build(asked(data))
    assert (done.skipped_rejects, done.rejects, done.views_made) == (1, {}, 0)
    skin(data).write_bytes(content)
    touch(skin(data))
    done = build(asked(data))
    assert (done.skipped_rejects, done.rejects, done.scans_made, done.scans_kept) == (0, {}, 0, 2)
    assert rows(data)[1] == {} and made(data) == before


def test_somebody_new_with_a_broken_picture_is_tried_again_with_another(data: Path) -> None:
    """Of whom there is no row, only the reject tells what to look at."""
    broken = (add_obj if any(data.rglob("*.mtl")) else add_gltf)(data, "clara").parent / "skin.bmp"
    broken.write_bytes(b"BM" + bytes(100))
    assert build(asked(data)).rejects == {("align", "FormatError"): 1}
    assert build(asked(data)).skipped_rejects == 1
    touch(broken)
    assert build(asked(data)).rejects == {("align", "FormatError"): 1}
    assert build(asked(data)).skipped_rejects == 1
    broken.unlink()
    assert build(asked(data)).rejects == {("align", "FormatError"): 1}
    assert build(asked(data)).skipped_rejects == 1
    paint(broken.with_name("SKIN.BMP"), 50)  # as some file systems show it
    done = build(asked(data))
    assert (done.scans_made, done.skipped_rejects, done.rejects) == (1, 0, {})
    assert rows(data)[1] == {} and len(rows(data)[0]) == 3


def test_a_picture_that_comes_later_is_noticed(tmp_path: Path) -> None:
    """Whether a material is worn is not asked: one picture more is another scan."""
    path = add_obj(tmp_path, "anna")
    with path.with_suffix(".mtl").open("a") as stream:
        stream.write("newmtl b\nmap_Kd later.bmp\n")
    build(asked(tmp_path))
    row = rows(tmp_path)[0]["anna"]
    assert "obj/ours/anna/later.bmp" in {*row.named} - {file.path for file in row.sources}
    assert is_whole(tmp_path) and build(asked(tmp_path)).scans_kept == 1
    paint(path.with_name("later.bmp"), 90)
    assert not is_whole(tmp_path)
    assert build(asked(tmp_path)).views_made == VIEWS
    assert is_whole(tmp_path) and build(asked(tmp_path)).scans_kept == 1


def test_another_buffer_is_another_mesh(tmp_path: Path) -> None:
    buffer = add_gltf(tmp_path, "anna").with_name("a.bin")
    build(asked(tmp_path))
    before, content = made(tmp_path), bytearray(buffer.read_bytes())
    places = np.frombuffer(content, "<f4", len(sphere()[0]) * 3)
    places[1::3] *= 0.5
    buffer.write_bytes(content)
    touch(buffer)
    assert build(asked(tmp_path)).views_made == VIEWS
    after = made(tmp_path)
    assert all(before[name][1] != after[name][1] for name in before if "DEPTH" in name)


def test_names_that_lead_out_of_the_data_folder_are_not_followed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    path = add_obj(data, "anna")
    (tmp_path / "secret").write_bytes((path.parent / "skin.bmp").read_bytes())
    with path.with_suffix(".mtl").open("a") as stream:
        stream.write("newmtl b\nmap_Kd ../../../../secret\nnewmtl c\nmap_Kd /etc/passwd\n")
    assert build(asked(data)).scans_made == 1
    row = rows(data)[0]["anna"]
    assert row.named == tuple(f"obj/ours/anna/{name}" for name in ("anna.mtl", "skin.bmp", "passwd"))
    (tmp_path / "secret").write_bytes(b"")
    assert build(asked(data)).scans_kept == 1
    path.with_suffix(".mtl").write_text("newmtl material0\nmap_Kd ../../../../secret\n")
    touch(path.with_suffix(".mtl"))
    heard = Heard()
    assert build(asked(data), heard, subjects=("anna",)).rejects == {("align", "FormatError"): 1}
    assert any("does not lead to a file under" in line for line in heard.lines)
