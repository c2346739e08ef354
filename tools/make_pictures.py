"""Draw the pictures in docs/images from freshly made people: python -m tools.make_pictures.

A step for developers, after people or the renderer changed. It takes about five minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.formats.window import Number, whole
from pipeline.geometry.camera import portrait_camera, project
from pipeline.geometry.presets import generator, preset_light
from pipeline.geometry.transform import aligned, turn_y, view_turn
from pipeline.records import F32, F64, U8, U16, Mesh, View, Window
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer
from pipeline.synth.person import draw
from pipeline.synth.scan import Scan, make_scan
from pipeline.synth.skeleton import JOINT_INDEX

OUT = Path(__file__).parents[1] / "docs" / "images"
SEED, PEOPLE, COLUMNS = 0, 12, 4
PAPER = np.array((236, 237, 240), dtype=np.float32)
SIZE = 4096  # drawn large, so that faces and hands can be cut out
QUARTERS = (0, 90, 180)  # front, the person's left, back
LAYERS = {
    Layer("shaded"),
    *(Layer(kind, side) for kind in ("color", "depth") for side in ("front", "back")),
}
SHOWN = 6  # whose outputs are shown
LIFT = 0.028  # from the head's joint up to the middle of the face, in aligned units
FACE_HALF, HAND_HALF = 0.060, 0.050  # half the size of what is cut out


@dataclass(frozen=True, eq=False)
class Portrait:
    """A view drawn: what is shaded, the plain colours front and back, and both depths, all (H, W, ...)."""

    shaded: U8
    colors: tuple[U8, U8]
    depths: tuple[U16, U16]


def portraits(scan: Scan, name: str, renderer: Renderer, yaws: Sequence[int]) -> Iterable[Portrait]:
    """Views of a scan, aligned by the truth."""
    skin = scan.skin
    mesh = Mesh(aligned(skin.vertices, scan.alignment), skin.faces, skin.colors)
    camera = portrait_camera(SIZE)
    light = preset_light("studio", generator("studio", SEED, name, "picture"))
    for frame in renderer.shoot(mesh, [View(yaw, 0, camera, light) for yaw in yaws]):
        sides = (frame.front, frame.back)
        front, back = (spread(side.color, frame.window) for side in sides)
        near, far = (spread(side.depth, frame.window) for side in sides)
        yield Portrait(spread(frame.front.shaded, frame.window), (front, back), (near, far))


def spread(picture: npt.NDArray[Number] | None, window: Window) -> npt.NDArray[Number]:
    """The whole of a picture that was asked for."""
    assert picture is not None
    return whole(picture, window)


def on_paper(image: U8, depth: U16) -> F32:
    """The picture over a light ground, (H, W, 3) in 0..255."""
    return np.where((depth > 0)[..., None], image.astype(np.float32), PAPER)


def halved(image: npt.NDArray[np.floating], times: int) -> F32:
    """The picture, each side shortened `times` times by averaging."""
    height, width = (s // times * times for s in image.shape[:2])
    blocks = image[:height, :width].reshape(height // times, times, width // times, times, -1)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def place(scan: Scan, joint: str, yaw: float) -> F64:
    """A joint in a view of the aligned scan (3,)."""
    a = scan.alignment
    centred = (scan.joints[JOINT_INDEX[joint]] - np.array(a.centre)) * a.scale
    return np.asarray(view_turn(yaw, 0) @ turn_y(-a.front_yaw) @ centred)


def cut(picture: F32, middle: F64, half: float) -> F32:
    """A square of the picture around a place in the world, 360 pixels wide."""
    u, v, _ = project(middle[None], portrait_camera(SIZE))[0]
    reach = int(half * portrait_camera(SIZE).fx)
    x, y = (int(np.clip(c, reach, SIZE - reach)) for c in (u, v))
    square = picture[y - reach : y + reach, x - reach : x + reach]
    image = Image.fromarray(np.uint8(np.clip(square, 0, 255)))
    return np.asarray(image.resize((360, 360), Image.Resampling.LANCZOS), dtype=np.float32)


def save(name: str, picture: npt.NDArray[np.floating]) -> None:
    """Write a JPEG into docs/images."""
    OUT.mkdir(exist_ok=True)
    Image.fromarray(np.uint8(np.clip(np.round(picture), 0, 255))).save(OUT / name, quality=88)
    click.echo(f"docs/images/{name}")


def grid(cells: Sequence[F32], columns: int) -> F32:
    """Equal cells laid in rows."""
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows)


def sheet_cell(pictures: Sequence[F32]) -> F32:
    """A person from three sides, side by side."""
    edge = SIZE // 40
    narrow = [p[edge:-edge, SIZE // 4 : -SIZE // 4] for p in pictures]
    return halved(np.concatenate(narrow, axis=1), 15)


def outputs(view: Portrait) -> F32:
    """What a view writes: shaded, front, back, and both depths, as one strip."""
    strips = [on_paper(image, view.depths[0]) for image in (view.shaded, *view.colors)]
    for depth in view.depths:
        known = depth[depth > 0]
        near, far = float(known.min()), float(known.max())
        grey = 235 - 190 * (depth - near) / (far - near)
        strips.append(np.where((depth > 0)[..., None], grey[..., None], PAPER).astype(np.float32))
    edge = SIZE // 40
    narrow = [s[edge:-edge, SIZE * 3 // 10 : -SIZE * 3 // 10] for s in strips]
    return halved(np.concatenate(narrow, axis=1), 5)


@click.command()
@click.option("--vertices", default=1_000_000, show_default=True, help="Vertices a person.")
def main(vertices: int) -> None:
    """Draw people.jpg, close-ups.jpg and outputs.jpg."""
    cells, faces, hands = [], [], []
    with Renderer(SIZE, LAYERS) as renderer:
        for index in range(PEOPLE):
            scan = make_scan(draw(SEED, index), vertices)
            pictures = []
            for view in portraits(scan, str(index), renderer, QUARTERS):
                pictures.append(on_paper(view.shaded, view.depths[0]))
            cells.append(sheet_cell(pictures))
            face = place(scan, "head", 0) + np.array([0, LIFT, 0])
            faces.append(cut(pictures[0], face, FACE_HALF))
            hands.append(cut(pictures[0], place(scan, "right_middle1", 0), HAND_HALF))
            if index == SHOWN:
                (oblique,) = portraits(scan, str(index), renderer, (-20,))
                save("outputs.jpg", outputs(oblique))
            click.echo(f"person {index + 1} of {PEOPLE}")
    save("people.jpg", grid(cells, COLUMNS))
    save("close-ups.jpg", grid([*faces[:6], *hands[:6], *faces[6:], *hands[6:]], 6))


if __name__ == "__main__":
    main()
