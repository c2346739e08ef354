"""What the last build was asked for, as its manifest says: a text that a stranger may have written.

Refuses to guess: what is not a request is a ManifestError that says why.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from pipeline.config import ListRequest, RenderRequest
from pipeline.errors import ConfigError, FormatError, ManifestError
from pipeline.formats.harmonics import read_harmonics

_MOST_TEXT = 1 << 16
_MOST_VIEWS = 1 << 16  # of a scan


def asked_in(config: str, request: ListRequest) -> RenderRequest:
    """The last build's request, of the dataset as it lies here and now.

    A field that the text lacks is younger than the text, and has its usual value.
    """
    said, hints = _said(config), get_type_hints(RenderRequest)
    for name in said:
        if name not in hints:
            raise ManifestError(f"the manifest has {name!r} in it, which only a newer scan2k may know")
    values = {name: _value(name, hints[name], value) for name, value in said.items()}
    values |= {"dataset": request.dataset, "data": request.data}
    values |= {"layout": request.layout} if request.layout else {}
    try:
        asked = RenderRequest(**values)
        if asked.light_file:
            read_harmonics(asked.light_file)
    except (ConfigError, FormatError) as error:
        raise ManifestError(str(error)) from error
    views = len(asked.projections) * len(asked.pitches) * len(asked.yaws)
    if views > _MOST_VIEWS:
        raise ManifestError(f"the manifest has {views:,} views a scan in it, over {_MOST_VIEWS:,}")
    return asked


def _said(config: str) -> dict[str, Any]:
    if len(config) > _MOST_TEXT:
        raise ManifestError(f"the manifest has {len(config):,} letters of it, over {_MOST_TEXT:,}")
    try:
        said = json.loads(config or "{}")
    except (ValueError, RecursionError) as error:
        raise ManifestError("what the manifest says of it is no JSON") from error
    if not isinstance(said, dict) or not said:
        raise ManifestError("the manifest does not say it")
    return said


def _value(name: str, hint: Any, value: Any) -> Any:  # noqa: ANN401  a type, and what JSON has for it
    """A value of a field, as its type; JSON has lists for tuples and texts for paths."""
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kind = kinds[0]
    if value is None and NoneType in kinds:
        return None
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_value(name, get_args(kind)[0], item) for item in value)
    if kind is float and type(value) in (int, float):
        return _number(name, value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if type(value) is not kind:
        raise ManifestError(f"the manifest has another kind of {name} in it than there is")
    return value


def _number(name: str, value: float) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ManifestError(f"the manifest has a {name} in it that no number can be") from error
