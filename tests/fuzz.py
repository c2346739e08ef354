"""Damaged copies of good files, the same ones every time: for readers that must read or refuse."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

_EXTREMES = (
    b"\x00" * 4,
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\x00\x00\xc0\x7f",
    b"\xfe\xff",
)
_WORDS = (b"-1", b"0", b"99999999999", b"nan", b"inf", b"1e999", b"x", b"", b"4294967295", b" ", b"\n")


def flipped(content: bytes, seed: int, count: int) -> Iterator[bytes]:
    """`count` copies of a file, each with one to three kinds of damage: see `DAMAGES`."""
    rng = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 3)):
            rng.choice(DAMAGES)(damaged, rng)
        yield bytes(damaged)


def _flip(damaged: bytearray, rng: random.Random) -> None:
    """Some bytes become others."""
    for _ in range(rng.randint(1, 4)):
        if damaged:
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)


def _flip_bit(damaged: bytearray, rng: random.Random) -> None:
    if damaged:
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)


def _cut(damaged: bytearray, rng: random.Random) -> None:
    """The end is missing."""
    del damaged[rng.randrange(len(damaged) + 1) :]


def _lose(damaged: bytearray, rng: random.Random) -> None:
    """A piece is missing."""
    at = rng.randrange(len(damaged) + 1)
    del damaged[at : at + rng.randint(1, 16)]


def _repeat(damaged: bytearray, rng: random.Random) -> None:
    """A piece is there twice."""
    at = rng.randrange(len(damaged) + 1)
    damaged[at:at] = damaged[at : at + rng.randint(1, 64)]


def _overwrite(damaged: bytearray, rng: random.Random) -> None:
    """The largest, the smallest, or no number where another was."""
    extreme = rng.choice(_EXTREMES)
    at = rng.randrange(len(damaged) + 1)
    damaged[at : at + len(extreme)] = extreme


def _reword(damaged: bytearray, rng: random.Random) -> None:
    """One word of a text becomes another."""
    at = rng.randrange(len(damaged) + 1)
    begin = max(damaged.rfind(b" ", 0, at), damaged.rfind(b"\n", 0, at)) + 1
    ends = [end for end in (damaged.find(b" ", begin), damaged.find(b"\n", begin)) if end >= 0]
    damaged[begin : min(ends, default=len(damaged))] = rng.choice(_WORDS)


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _flip_bit,
    _cut,
    _lose,
    _repeat,
    _overwrite,
    _reword,
)
