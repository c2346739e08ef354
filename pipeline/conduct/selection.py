"""Which of a dataset's people a build is about: ids, wildcards and ranges, as a user writes them.

Refuses to guess: what is malformed, or means nobody, is an error that offers what may have been meant.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from pipeline.errors import ConfigError
from pipeline.records import Subject

_WILD = "*?["
_NUMBERED = re.compile(r"(.*?)([0-9]{1,200})", re.DOTALL)
_FORM = "a range is such as 00010-00020, with the same letters before both numbers"


class _Range(NamedTuple):
    """Ids of one beginning whose number at the end is from `first` to `last`."""

    beginning: str
    first: int
    last: int


def chosen(subjects: Sequence[Subject], asked: Sequence[str]) -> list[Subject]:
    """The subjects that are asked for, in their own order, each once; all, where nothing is asked.

    A word is an id, a wildcard as `rp_*`, or a range as `00010-00020`: ids that begin as both its ends do,
    and whose number at the end, by value, is between theirs. What is an id is no range.
    """
    if not asked:
        return list(subjects)
    ids = [subject.id for subject in subjects]
    known = frozenset(ids)
    wanted = {name for word in asked for name in _meant(word, ids, known)}
    return [subject for subject in subjects if subject.id in wanted]


def _meant(word: str, ids: Sequence[str], known: Collection[str]) -> list[str]:
    """The ids that one word means: at least one."""
    if word in known:
        return [word]
    span = None if any(letter in word for letter in _WILD) else _range(word)
    found = [name for name in ids if (_lies_in(name, span) if span else fnmatchcase(name, word))]
    if not found:
        fault = f"nobody is in it; {_bounds(ids)}" if span else _unlike(word, ids)
        raise ConfigError(f"subjects has {word!r}: {fault}")
    return found


def _unlike(word: str, ids: Sequence[str]) -> str:
    """What to say of a word that no id is like."""
    close = difflib.get_close_matches(word, ids, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else _bounds(ids)
    form = f"{_FORM}; " if any(first or last for first, last in _ends(word)) else ""
    return f"nobody is called that; {form}{hint}"


def _range(word: str) -> _Range | None:
    """The range that a word is, if it is one."""
    for first, last in _ends(word):
        if first and last and first[1] == last[1]:
            low, high = int(first[2]), int(last[2])
            if low > high:
                raise ConfigError(f"subjects has {word!r}: it runs backwards; write {last[0]}-{first[0]}")
            return _Range(first[1], low, high)
    return None


def _ends(word: str) -> Iterator[tuple[re.Match[str] | None, re.Match[str] | None]]:
    """What a word may be a range from and to, as far as they are numbers: an id may hold `-` itself."""
    for place, letter in enumerate(word):
        if letter == "-":
            yield _NUMBERED.fullmatch(word, 0, place), _NUMBERED.fullmatch(word, place + 1)


def _lies_in(name: str, span: _Range) -> bool:
    number = _NUMBERED.fullmatch(name)
    return number is not None and number[1] == span.beginning and span.first <= int(number[2]) <= span.last


def _bounds(ids: Sequence[str]) -> str:
    return f"the ids go from {ids[0]} to {ids[-1]}" if ids else "there is nobody at all"
