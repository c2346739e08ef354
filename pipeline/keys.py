"""Keys: digests of all that decides the pixels of a view: what has the same key need not be made again.

A key is made of causes (files, numbers, the shaders' text, the encoder), never of what was drawn. Refuses
to know whether anything was drawn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib import resources

from pipeline.config import RenderRequest
from pipeline.formats.image import encoder_version
from pipeline.records import Alignment, Subject, View
from pipeline.rows import SourceFile

_BYTES = 16


class Keys:
    """The keys of one build's scans and views."""

    def __init__(self, request: RenderRequest) -> None:
        self._method = [_shader_digest(), encoder_version(".png")]
        self._request = request

    def of_scan(self, subject: Subject, alignment: Alignment, sources: Iterable[SourceFile]) -> str:
        """What decides how a scan looks, wherever it is seen from: its own files, and how it is laid."""
        looks = {subject.mesh, *subject.textures}
        files = [[file.path, file.digest] for file in sources if file.path in looks]
        cleaning = [alignment.cleaning.fragments_under, alignment.cleaning.floor]
        return _key([sorted(files), alignment.centre, alignment.scale, alignment.front_yaw, cleaning])

    def of_view(
        self, scan: str, projection: str, view: View, light_numbers: tuple[float, ...]
    ) -> tuple[str, str]:
        """The keys of a view's pictures: of those without light, and of those in it."""
        camera = view.camera
        lens = [camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy]
        pose = [camera.rotation.tolist(), camera.translation.tolist()]
        key = _key([scan, projection, view.yaw, view.pitch, lens, pose, self._method])
        return key, _key([key, light_numbers, self._request.occlusion])


def source_key(sources: Iterable[SourceFile]) -> str:
    """One digest of all files of a scan."""
    return _key(sorted([file.path, file.digest] for file in sources))


def _key(causes: object) -> str:
    text = json.dumps(causes, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=_BYTES).hexdigest()


@cache
def _shader_digest() -> str:
    """One digest of all shaders' text."""
    folder = resources.files("shaders")
    files = [*folder.iterdir(), *(folder / "include").iterdir()]
    texts = {file.name: file.read_text(encoding="utf-8") for file in files if file.is_file()}
    return _key(sorted((name, text) for name, text in texts.items() if not name.endswith(".py")))
