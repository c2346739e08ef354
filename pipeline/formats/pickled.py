"""What a pickle may make: numpy's arrays and numbers, trimesh's tracked arrays, torch's tensors.

All come back as plain numpy arrays: a tensor's bytes are read here, so neither torch nor trimesh is needed
or loaded. Every size is checked against the bytes that are there. Refuses every other name, and says it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from pipeline.errors import FormatError
from pipeline.formats.unpickle import Budget, Name, printable, unpickle

Array = npt.NDArray[Any]
_MOST_DIMENSIONS = 8
_CODE = re.compile(r"[biuf][1248]|f2|[SU]\d{1,3}|O8?")
_IMPOSSIBLE = {"b2", "b4", "b8", "f1"}
_ARRAY_CLASSES = frozenset({"numpy.ndarray", "trimesh.caching.TrackedArray"})
_STORAGES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "BFloat16": "u2", "Long": "i8", "Int": "i4", "Short": "i2",
    "Char": "i1", "Byte": "u1", "Bool": "b1",
}  # fmt: skip
_TORCH_MAGIC, _TORCH_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def loads(content: bytes) -> object:
    """The value of a pickle: numbers, texts, bytes, lists, tuples, mappings by name, and numpy arrays."""
    budget = Budget(len(content))
    value, _ = unpickle(content, _Arrays(budget), budget)
    return value


class ElementType:
    """An element type being read: its code, then its byte order."""

    def __init__(self, code: str, order: str = "=") -> None:
        if not _CODE.fullmatch(code) or code in _IMPOSSIBLE:
            raise FormatError(f"arrays of {printable(code)!r} are not read, only of numbers and texts")
        self.code, self.order = code, order

    @property
    def is_object(self) -> bool:
        """Whether its elements are Python objects."""
        return self.code.startswith("O")

    def whole(self) -> np.dtype[Any]:
        """The type of numpy's."""
        if self.is_object:
            raise FormatError("an array of Python objects stands where numbers are needed")
        return np.dtype(self.order + self.code)


class _Storage:
    """The numbers (N,) that tensors are cut from."""

    def __init__(self, values: Array) -> None:
        self.values = values


def array_of(data: bytes, dtype: ElementType, shape: tuple[int, ...], *, is_fortran: bool) -> Array:
    """An array of exactly the bytes given, which it shares."""
    kind = dtype.whole()
    if math.prod(shape) * kind.itemsize != len(data):
        size = " x ".join(map(str, shape)) or "1"
        raise FormatError(f"an array of {size} elements has {len(data):,} bytes; it lies about its size")
    return np.frombuffer(data, kind).reshape(shape, order="F" if is_fortran else "C")


def _damaged(what: str) -> NoReturn:
    raise FormatError(f"a damaged pickle: {what}")


def _shape(value: object) -> tuple[int, ...]:
    """A shape of few dimensions; its size is for the caller to check against the bytes."""
    sizes = value if isinstance(value, tuple | list) else (value,)
    if len(sizes) > _MOST_DIMENSIONS or any(type(n) is not int or n < 0 for n in sizes):
        _damaged("an array's shape makes no sense")
    return tuple(int(n) for n in sizes)


class _Arrays:
    """Builds arrays, and nothing else."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def name(self, full: str) -> Name:
        """The name, if it is one of those that arrays and tensors need."""
        known = full.replace("numpy._core.", "numpy.core.")  # what numpy 2 calls the same room
        if known not in _MAKERS and known not in _ARRAY_CLASSES:
            allowed = "only numpy arrays, trimesh's tracked arrays and torch tensors are read"
            raise FormatError(f"it wants to run {printable(full)}, which is refused: {allowed}")
        return Name(known)

    def call(self, name: Name, arguments: tuple[object, ...]) -> object:
        """The array, number or tensor that a known name makes."""
        maker = _MAKERS.get(name.full)
        if maker is None:
            _damaged(f"it calls {name.full}")
        try:
            return maker(self, *arguments)
        except TypeError as error:  # another number of arguments than the name takes
            raise FormatError(f"a damaged pickle: {name.full}: {error}") from error

    def persistent(self, key: object) -> object:
        """Refuse: a parameter file has nothing outside itself."""
        said = printable(key) if isinstance(key, str) else f"a {type(key).__name__}"
        raise FormatError(f"it wants {said} from outside the file; nothing there is read")

    def build(self, value: object, state: object) -> object:
        """Fill in an element type's byte order or an array's numbers."""
        if isinstance(value, ElementType) and isinstance(state, tuple) and len(state) > 1:
            if state[1] not in ("<", ">", "|", "="):
                _damaged("an element type has no byte order")
            value.order = str(state[1])
            return value
        if type(value) is np.ndarray and isinstance(state, tuple) and len(state) == 5:
            return self._fill(value, *state[1:])
        _damaged(f"it sets the state of a {type(value).__name__}")

    def _fill(self, array: Array, shape: object, dtype: object, is_fortran: object, raw: object) -> object:
        sizes = _shape(shape)
        if not isinstance(dtype, ElementType):
            _damaged("an array has no element type")
        if dtype.is_object:
            if not isinstance(raw, list) or len(raw) != math.prod(sizes):
                _damaged("an array of objects is not as long as it says")
            return raw
        data = raw.encode("latin-1") if isinstance(raw, str) else raw
        filled = self.from_bytes(data, dtype, sizes, "F" if is_fortran else "C")
        # numpy's own: it fills in the array that the pickle may already refer to elsewhere
        state: Any = (1, sizes, filled.dtype, bool(is_fortran), data)
        array.__setstate__(state)
        return array

    def from_bytes(self, data: object, dtype: object, shape: tuple[int, ...], order: object) -> Array:
        """An array of exactly the bytes given."""
        if not isinstance(data, bytes) or not isinstance(dtype, ElementType) or order not in ("C", "F"):
            _damaged("an array is not made of bytes")
        self.budget.make(2 * len(data))
        return array_of(data, dtype, shape, is_fortran=order == "F")

    # what known names make

    def encode(self, text: object, encoding: object) -> bytes:
        """Bytes that were written as text."""
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            _damaged("bytes are not written as latin1")
        self.budget.make(len(text))
        return text.encode("latin-1")

    def no_bytes(self) -> bytes:
        """Bytes, none: protocols before 3 know no other way to say it."""
        return b""

    def dtype(self, code: object, *_: object) -> ElementType:
        """An element type by its code."""
        if not isinstance(code, str) or not _CODE.fullmatch(code) or code in _IMPOSSIBLE:
            raise FormatError(
                f"arrays of {printable(str(code)[:99])} are not read, only of numbers and texts"
            )
        return ElementType(code)

    def empty(self, kind: object, *_: object) -> Array:
        """An array whose numbers are filled in later; any class of arrays becomes a plain one."""
        if not isinstance(kind, Name) or kind.full not in _ARRAY_CLASSES:
            _damaged("an array is of no known class")
        return np.zeros(0)

    def scalar(self, dtype: object, data: object) -> Array:
        """One number, as an array ()."""
        return self.from_bytes(data.encode("latin-1") if isinstance(data, str) else data, dtype, (), "C")

    def from_buffer(self, data: object, dtype: object, shape: object, order: object) -> Array:
        """An array of protocol 5."""
        return self.from_bytes(data, dtype, _shape(shape), order)

    def ordered(self, *items: object) -> dict[str, object]:
        """An empty mapping: torch writes one with every tensor."""
        if items:
            _damaged("a mapping is given more than its items")
        return {}

    def storage(self, content: object) -> _Storage:
        """The numbers of tensors, from a torch file within the pickle."""
        if not isinstance(content, bytes):
            _damaged("a tensor's storage is not bytes")
        return _read_storage(content, self.budget)

    def tensor(self, storage: object, offset: object, shape: object, strides: object, *_: object) -> Array:
        """A tensor cut from its storage, as an array of its own."""
        if not isinstance(storage, _Storage) or type(offset) is not int or offset < 0:
            _damaged("a tensor has no storage")
        sizes, steps = _shape(shape), _shape(strides)
        count, values = math.prod(sizes), storage.values
        last = offset + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True))
        if count and last >= len(values):
            raise FormatError(
                f"a tensor reaches to number {last:,} of {len(values):,}; it lies about its size"
            )
        self.budget.make(count * values.itemsize)
        if not count:
            return np.zeros(sizes, values.dtype)
        cut = np.lib.stride_tricks.as_strided(
            values[offset:], sizes, tuple(step * values.itemsize for step in steps)
        )
        return cut.copy()

    def parameter(self, tensor: object, *_: object) -> object:
        """A tensor that was trained: the tensor itself."""
        return tensor if isinstance(tensor, np.ndarray) else _damaged("a parameter is no tensor")


_MAKERS: dict[str, Callable[..., object]] = {
    "_codecs.encode": _Arrays.encode,
    "__builtin__.bytes": _Arrays.no_bytes,
    "numpy.dtype": _Arrays.dtype,
    "numpy.core.multiarray._reconstruct": _Arrays.empty,
    "numpy.core.multiarray.scalar": _Arrays.scalar,
    "numpy.core.numeric._frombuffer": _Arrays.from_buffer,
    "collections.OrderedDict": _Arrays.ordered,
    "torch.storage._load_from_bytes": _Arrays.storage,
    "torch._utils._rebuild_tensor_v2": _Arrays.tensor,
    "torch._utils._rebuild_parameter": _Arrays.parameter,
}


class _Storages:
    """Builds the description of one storage: the pickles in a torch file say no more."""

    def name(self, full: str) -> Name:
        """The name, if it is a kind of storage."""
        kind = full.removeprefix("torch.").removesuffix("Storage")
        if full != f"torch.{kind}Storage" or kind not in _STORAGES:
            raise FormatError(
                f"it wants to run {printable(full)}, which is refused: only tensors' numbers are read"
            )
        return Name(full)

    def call(self, name: Name, arguments: tuple[object, ...]) -> object:
        """Refuse: a storage calls nothing."""
        raise FormatError(f"it wants to run {name.full}, which is refused")

    def build(self, value: object, state: object) -> object:
        """Refuse: a storage has no state."""
        _damaged(f"it sets the state of a {type(value).__name__}")

    def persistent(self, key: object) -> object:
        """The kind, key and length of the storage whose numbers follow the pickles."""
        if not isinstance(key, tuple) or len(key) not in (5, 6) or key[0] != "storage":
            _damaged("a storage is not described")
        kind, name, _, count = key[1:5]
        if not isinstance(kind, Name) or not isinstance(name, str) or type(count) is not int:
            _damaged("a storage is not described")
        if len(key) == 6 and key[5] is not None:
            _damaged("a storage is a part of another")
        return kind.full.removeprefix("torch.").removesuffix("Storage"), name, count


def _read_storage(content: bytes, budget: Budget) -> _Storage:
    """The numbers in a torch file of before its 1.6, the form in which tensors write their storage."""
    builder, at = _Storages(), 0
    parts = []
    for _ in range(5):
        value, at = unpickle(content, builder, budget, at)
        parts.append(value)
    magic, protocol, system, described, keys = parts
    if (magic, protocol) != (_TORCH_MAGIC, _TORCH_PROTOCOL) or not isinstance(system, dict):
        _damaged("a tensor's storage is not a torch file")
    if system.get("little_endian") is not True:
        raise FormatError("a tensor's numbers are big-endian; write the file on a little-endian machine")
    if not isinstance(described, tuple) or keys != [described[1]]:
        _damaged("a storage is not described")
    kind, _, count = described
    dtype = np.dtype("<" + _STORAGES[kind])
    if content[at : at + 8] != count.to_bytes(8, "little", signed=True) or (
        len(content) - at - 8 != count * dtype.itemsize
    ):
        raise FormatError(
            f"a storage of {count:,} numbers has {len(content) - at - 8:,} bytes; it lies about its size"
        )
    values = np.frombuffer(content, dtype, count, at + 8)
    if kind == "BFloat16":  # numpy has no such numbers; they are the upper halves of float32
        values = (values.astype("<u4") << 16).view("<f4")
    return _Storage(values)
