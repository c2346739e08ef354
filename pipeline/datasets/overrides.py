"""What users say of single people, against all else: one TOML file beside a dataset, each typo an error.

A table a person, named by the id:

    [00003]
    yaw = -90          # degrees about +y that make the person face +z
    scale = 0.9        # a factor on the aligned size
    exclude = true     # leave the person out
    note = "why"

What a release is known for ships as such a file; what the user says wins, key by key. Refuses to guess.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.records import Override

FILE = "overrides.toml"
_KEYS = ("yaw", "scale", "exclude", "note")
_RANGES = {"yaw": (-360.0, 360.0), "scale": (0.001, 1000.0)}


def read_overrides(folder: Path, shipped: str | None, known: Collection[str]) -> Mapping[str, Override]:
    """What is said of the people of a dataset, by id; `known` are the ids that there are.

    What ships speaks of a whole release, so it may name people who are not there; a user's file may not.
    """
    usual: dict[str, Override] = {}
    if shipped:
        text = files("pipeline.datasets").joinpath("data", shipped).read_text(encoding="utf-8")
        usual = parse_overrides(text, shipped)
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {subject: said for subject, said in usual.items() if subject in known}
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not text in UTF-8; write it anew") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; make it readable") from error
    own = parse_overrides(text, str(path), {*known, *usual})
    everybody = [subject for subject in (*usual, *own) if subject in known]
    return {subject: _merged(usual.get(subject), own.get(subject)) for subject in everybody}


def _merged(usual: Override | None, own: Override | None) -> Override:
    """Both together; where both say a thing, the user's own."""
    if usual is None or own is None:
        return own or usual or Override()
    return replace(
        own,
        yaw=usual.yaw if own.yaw is None else own.yaw,
        scale=usual.scale if own.scale is None else own.scale,
        note=own.note or usual.note,
    )


def parse_overrides(text: str, name: str, known: Collection[str] | None = None) -> dict[str, Override]:
    """What a file's text says; `name` is what errors call it. Ids are checked where `known` are given."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: {error}; a table is [ID], with {', '.join(_KEYS)} in it") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: is nested too deeply; a table is [ID]") from error
    return {subject: _override(text, name, subject, said, known) for subject, said in content.items()}


def _override(text: str, name: str, subject: str, said: object, known: Collection[str] | None) -> Override:
    line = line_of(text, subject)
    if not isinstance(said, dict):
        raise ConfigError(
            f"{name}, line {line}: {subject!r} stands outside a table; begin one with [ID] above it"
        )
    if known is not None and subject not in known:
        raise ConfigError(f"{name}, line {line}: there is no subject {subject!r}{_hint(subject, known)}")
    for key, value in said.items():
        fault = _fault(key, value)
        if fault:
            raise ConfigError(f"{name}, line {line_of(text, subject, key)}: {fault}")
    number = {key: float(said[key]) for key in ("yaw", "scale") if key in said}
    return Override(
        yaw=number.get("yaw"),
        scale=number.get("scale"),
        exclude=said.get("exclude", False),
        note=said.get("note", ""),
        place=f"{name}, line {line}",
    )


def _fault(key: str, value: object) -> str | None:
    """What is wrong with one entry, if anything is."""
    if key not in _KEYS:
        return f"there is no key {key!r}{_hint(key, _KEYS)}"
    if key == "exclude":
        return None if isinstance(value, bool) else f"exclude is {value!r}; it must be true or false"
    if key == "note":
        return None if isinstance(value, str) else f"note is {value!r}; it must be text in quotes"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{key} is {value!r}; it must be a number"
    low, high = _RANGES[key]
    if not low <= value <= high:
        return f"{key} is {value!r}; it must be from {low:g} to {high:g}"
    return None


def _hint(said: str, known: Collection[str]) -> str:
    """What may have been meant."""
    close = difflib.get_close_matches(said, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return (
        "; `scan2k scan-list` shows who there is" if known is not _KEYS else f"; choose {', '.join(_KEYS)}"
    )


def line_of(text: str, *keys: str) -> int:
    """The line in which an entry of a TOML text begins, however it is written.

    It is the first line with which the text up to there, as far as it can be parsed, has the entry.
    """
    lines = [f"{line}\n" for line in text.split("\n")]
    low, high = 1, len(lines)
    while low < high:
        middle = (low + high) // 2
        if _has(_first_whole(lines, middle), keys):
            high = middle
        else:
            low = middle + 1
    return low


def _first_whole(lines: list[str], count: int) -> object:
    """The content of the first so many lines, or of as many more as make them whole."""
    for end in range(count, len(lines) + 1):
        try:
            return tomllib.loads("".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
    return {}


def _has(content: object, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True
