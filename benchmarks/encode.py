"""How long writers of lossless pictures take, how large their files are, and whether two work at once.

scan2k render demo --people 1 --yaws 0 --data DATA
python benchmarks/encode.py DATA [--repeat N] [--json FILE]

The pictures are those of the first view in a data folder; normals and mask are made of the depth. Every
writer works in a process of its own. Seconds are of the processor, the least of `--repeat`; the five
pictures of a view are shaded, two colours and two depths. `at once` is how many times as much two threads
do as one; MB is what the writer adds to the memory in use. A dash is a picture that the writer has no place
for; a package that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PIL import Image

from pipeline.formats.exr import encode_exr
from pipeline.formats.image import read_color, read_grey16
from pipeline.formats.jxl import encode_jxl
from pipeline.formats.png import differences, encode_png
from pipeline.records import F32, U8, U16, Window

KINDS = ("shaded", "front", "back", "depth", "depth back", "normal", "mask", "exr depth", "exr normal")
VIEW = KINDS[:5]
MB = 1 << 20
Pixels = U8 | U16 | F32
Box = tuple[slice, slice]  # rows and columns where the person is
Encoder = Callable[[Any, Window], bytes]
Packer = Callable[[Any, int], bytes]
Writer = Callable[[Pixels, Box], bytes | None]


def pictures(data: Path) -> dict[str, Pixels]:
    """Every kind of picture of the first view of a data folder."""
    pers = data / "PERS"
    shaded = sorted((pers / "COLOR" / "SHADED").glob("*/*_front.png"))
    if not shaded:
        sys.exit(f"{data} has no pictures; scan2k render demo --people 1 --yaws 0 --data {data}")
    place = f"{shaded[0].parent.name}/{shaded[0].name}"
    back = place.replace("_front.png", "_back.png")
    color, depth = pers / "COLOR" / "NOSHADING", pers / "DEPTH"
    front = read_grey16(depth / place)
    unit = normals(front)
    return {
        "shaded": read_color(shaded[0]),
        "front": read_color(color / place),
        "back": read_color(color / back),
        "depth": front,
        "depth back": read_grey16(depth / back),
        "normal": np.where(front[..., None] > 0, np.rint((unit + 1) / 2 * 65535), 0).astype(np.uint16),
        "mask": np.where(front > 0, 255, 0).astype(np.uint8),
        "exr depth": np.where(front > 0, 1 + (front / 32 - 1024) / 2196, 0).astype(np.float32),
        "exr normal": unit,
    }


def normals(depth: U16) -> F32:
    """Unit normals (H, W, 3) of a surface whose depth is in pixels / 32."""
    away, right = np.gradient(depth / 32.0)
    raw = np.stack([right, -away, np.ones(depth.shape)], axis=2)
    unit = raw / np.linalg.norm(raw, axis=2, keepdims=True)
    return np.where(depth[..., None] > 0, unit, 0).astype(np.float32)


def box(mask: U8) -> Box:
    """Where the person is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def part(pixels: Pixels, place: Box) -> tuple[Any, Window]:
    """What is drawn of a whole picture, and where it lies."""
    rows, columns = place
    return pixels[place], Window(rows.start, columns.start, *pixels.shape[:2])


def ours(encode: Encoder, floats: bool, pixels: Pixels, place: Box) -> bytes | None:
    """What this project writes, of the box alone."""
    return encode(*part(pixels, place)) if (pixels.dtype == np.float32) == floats else None


def pillow(level: int, strategy: int, pixels: Pixels, _: Box) -> bytes | None:
    """Pillow, for what it can write."""
    if pixels.dtype == np.float32 or (pixels.dtype == np.uint16 and pixels.ndim == 3):
        return None
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", compress_level=level, compress_type=strategy)
    return stream.getvalue()


def opencv(cv2: ModuleType, options: list[int], pixels: Pixels, _: Box) -> bytes | None:
    """OpenCV, whose colours are the other way round."""
    if pixels.dtype == np.float32:
        return None
    return bytes(cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels, options)[1])


def codec(
    encode: Callable[..., bytes], options: dict[str, object], pixels: Pixels, _: Window
) -> bytes | None:
    """One of imagecodecs."""
    return None if pixels.dtype == np.float32 else encode(pixels, **options)


def packed(compress: Packer, level: int, pixels: Pixels, place: Box) -> bytes | None:
    """The rows that this project packs, by another packer: the file without its few bytes of frame."""
    if pixels.dtype == np.float32:
        return None
    return compress(b"".join(rows.tobytes() for rows in differences(*part(pixels, place))), level)


def writers() -> dict[str, Writer]:
    """Every way to write that is installed, by name."""
    found: dict[str, Writer] = {
        "this: PNG": partial(ours, encode_png, False),
        "this: OpenEXR": partial(ours, encode_exr, True),
        "Pillow 0": partial(pillow, 0, 0),
        "Pillow 1": partial(pillow, 1, 0),
        "Pillow 1, runs": partial(pillow, 1, 3),
        "Pillow 6": partial(pillow, 6, 0),
    }
    packages = ("cv2", "imagecodecs", "zlib", "isal.isal_zlib", "zlib_ng.zlib_ng", "deflate")
    for name in packages:
        try:
            package = import_module(name)
        except ImportError:
            print(f"{name} is not installed: left out")
            continue
        found |= {"cv2": of_opencv, "imagecodecs": of_imagecodecs}.get(name, of_packer)(package)
    return found


def of_opencv(cv2: ModuleType) -> dict[str, Writer]:
    """OpenCV's settings worth a look."""
    level, strategy, chosen = (
        getattr(cv2, f"IMWRITE_PNG_{n}", 0) for n in ("COMPRESSION", "STRATEGY", "FILTER")
    )
    found: dict[str, Writer] = {
        "OpenCV 1": partial(opencv, cv2, [level, 1]),
        "OpenCV 1, runs": partial(opencv, cv2, [level, 1, strategy, 3]),
    }
    if chosen:
        found["OpenCV 1, filter up"] = partial(opencv, cv2, [level, 1, strategy, 0, chosen, 32])
    return found


def of_imagecodecs(codecs: ModuleType) -> dict[str, Writer]:
    """Settings of imagecodecs worth a look, and this project's own use of it."""
    lossless: dict[str, object] = {"lossless": True, "numthreads": 1}
    return {
        "this: JPEG XL": partial(ours, encode_jxl, False),
        "JPEG XL, effort 3": partial(codec, codecs.jpegxl_encode, lossless | {"effort": 3}),
        "imagecodecs 1": partial(codec, codecs.png_encode, {"level": 1}),
        "imagecodecs 1, filter up": partial(codec, codecs.png_encode, {"level": 1, "filter": 32}),
        "imagecodecs spng 1": partial(codec, codecs.spng_encode, {"level": 1}),
    }


def of_packer(package: ModuleType) -> dict[str, Writer]:
    """This project's rows, packed by another library."""
    compress = getattr(package, "zlib_compress", None) or package.compress
    name = package.__name__.rpartition(".")[2]
    return {f"own rows, {name} {level}": partial(packed, compress, level) for level in (1, 2, 3)}


def measure_one(data: Path, name: str, repeat: int) -> dict[str, Any]:
    """Seconds and bytes by picture, how two threads get on, and MB added to the peak."""
    write, shown = writers()[name], pictures(data)
    place = box(np.asarray(shown["mask"], dtype=np.uint8))
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before, result = peak(), {}
    for kind, pixels in shown.items():
        seconds, size = [], 0
        for _ in range(repeat):
            start = time.process_time()
            content = write(pixels, place)
            seconds.append(time.process_time() - start)
            size = len(content or b"")
        if size:
            result[kind] = {"seconds": min(seconds), "bytes": size}
    kind = next(iter(result))
    added = (peak() - before) / MB
    return {"kinds": result, "at_once": at_once(partial(write, shown[kind], place)), "mb": added}


def at_once(write: Callable[[], object]) -> float:
    """How many times as much two threads write as one does, in about half a second."""
    start = time.perf_counter()
    write()
    times = range(2 * max(1, round(0.25 / (time.perf_counter() - start))))
    with ThreadPoolExecutor(2) as threads:
        start = time.perf_counter()
        for _ in times:
            write()
        alone = time.perf_counter() - start
        start = time.perf_counter()
        for future in [threads.submit(write) for _ in times]:
            future.result()
    return alone / (time.perf_counter() - start)


def peak() -> int:
    """The most bytes that this program has had in memory, not counting whoever started it."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def shown(name: str, found: dict[str, Any]) -> str:
    """A row of the table."""
    kinds = found["kinds"]
    whole = {
        key: sum(kinds[k][key] for k in VIEW) for key in ("seconds", "bytes") if set(VIEW) <= set(kinds)
    }
    view = f"{whole['seconds'] * 1000:8.1f} {whole['bytes'] / 1e6:7.3f}" if whole else f"{'-':>8} {'-':>7}"
    cells = [
        f"{kinds[k]['seconds'] * 1000:6.1f} {kinds[k]['bytes'] / 1000:6.0f}" if k in kinds else f"{'-':>13}"
        for k in ("shaded", "depth", "normal", "mask", "exr depth", "exr normal")
    ]
    return f"{name:26}{view}  {'  '.join(cells)}  {found['at_once']:5.2f} {found['mb']:6.0f}"


def main() -> None:
    """Let every writer write, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.one:
        print(json.dumps(measure_one(wish.data, wish.one, wish.repeat)))
        return
    names = list(writers())
    heads = "".join(f"{k + ' ms, KB':>15}" for k in ("shaded", "depth", "normal", "mask", "exr z", "exr n"))
    print(f"{'writer':26}{'view ms':>8} {'MB':>7}{heads}  at once  MB")
    rows = {}
    for name in names:
        command = [sys.executable, __file__, str(wish.data), "--one", name, "--repeat", str(wish.repeat)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)  # noqa: S603  this file
        rows[name] = json.loads(answer.stdout.splitlines()[-1])
        print(shown(name, rows[name]), flush=True)
    if wish.json:
        wish.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
