"""Poses bodies with the smplx package as its authors publish it, and a model file that the user has.

torch and smplx are loaded when the first body is posed. Refuses to know scans and datasets.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.formats.body_files import require_model
from pipeline.formats.unpickle import printable
from pipeline.records import F64, Body, BodyParameters, Mesh

EXTRA = "pip install 'scan2k[body]'"
JOINTS = 144  # 55 of the skeleton, 21 on the surface, 51 of the face, 17 of its outline
_COEFFICIENTS = 45  # hand components that a model may have
_LAID_OUT = (
    "betas", "expression", "global_orient", "body_pose", "jaw_pose", "leye_pose", "reye_pose",
)  # fmt: skip

Numbers = npt.NDArray[Any]


class BodyModels:
    """The body models of a folder, each loaded when a body of its gender is first posed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loaded: dict[str, Any] = {}

    def posed(self, body: BodyParameters) -> Body:
        """A body's surface and its 144 joints, in the coordinates that its parameters speak of."""
        model = self._model(body.gender)
        vertices, joints = _run(model, body)
        faces = np.ascontiguousarray(model.faces, dtype=np.int32)
        placed = [(points + body.transl) * body.scale + body.translation for points in (vertices, joints)]
        return Body(Mesh(placed[0].astype(np.float32), faces), placed[1])

    def _model(self, gender: str) -> Any:  # noqa: ANN401  (smplx has no types)
        if gender not in self._loaded:
            self._loaded[gender] = _load(self.folder, gender)
        return self._loaded[gender]


def _load(folder: Path, gender: str) -> Any:  # noqa: ANN401  (smplx has no types)
    path = require_model(folder, gender)
    smplx = _smplx()
    try:
        with redirect_stdout(
            io.StringIO()
        ):  # it prints that a model has few shapes, amid a command's answer
            return smplx.SMPLX(
                str(path),
                gender=gender,
                ext="npz",
                use_pca=False,
                num_pca_comps=_COEFFICIENTS,
                flat_hand_mean=False,
                use_face_contour=True,
            )
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = printable(str(error))
        raise ConfigError(
            f"{path}: smplx cannot load it: {reason}; get the SMPL-X model file anew"
        ) from error


def _smplx() -> Any:  # noqa: ANN401  (smplx has no types)
    try:
        import smplx  # noqa: PLC0415  (takes seconds)
    except ImportError as error:
        raise ConfigError(f"posing a body needs torch and smplx ({error}); run: {EXTRA}") from error
    return smplx


def _run(model: Any, body: BodyParameters) -> tuple[F64, F64]:  # noqa: ANN401
    """Vertices (V, 3) and joints (144, 3) before they are scaled and moved."""
    import torch  # noqa: PLC0415  (takes seconds)

    values: dict[str, Numbers] = {name: getattr(body, name) for name in _LAID_OUT}
    values["left_hand_pose"] = _hand(body.left_hand_pose, model.np_left_hand_components)
    values["right_hand_pose"] = _hand(body.right_hand_pose, model.np_right_hand_components)
    rows = {name: torch.tensor(np.reshape(v, (1, -1)), dtype=torch.float32) for name, v in values.items()}
    with torch.no_grad():
        made = model(**rows)
    vertices, joints = (tensor[0].numpy().astype(np.float64) for tensor in (made.vertices, made.joints))
    return vertices, joints


def _hand(pose: F64, components: Numbers) -> Numbers:
    """A hand's rotations (45,) less the mean, of themselves or of coefficients (n,)."""
    return pose.ravel() if pose.ndim == 2 else pose @ components[: len(pose)]
