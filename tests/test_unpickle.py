"""The pickle machine: what Python's own unpickler says of harmless files, and refusal of all others."""

from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from trimesh.caching import TrackedArray, tracked_array

from pipeline.errors import FormatError
from pipeline.formats.numbers import flat
from pipeline.formats.pickled import loads

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.builds(tuple, st.lists(inner, max_size=5))
    ),
    max_leaves=20,
)


@given(value=PLAIN, protocol=st.sampled_from(PROTOCOLS))
def test_plain_values_are_what_python_reads(value: object, protocol: int) -> None:
    assert loads(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_are_what_was_written_and_shared_as_they_were(protocol: int) -> None:
    tracked = tracked_array(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert isinstance(tracked, TrackedArray)
    values: dict[str, Any] = {
        "tracked": tracked,
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "number": np.float32(3.5),
        "no shape": np.array(2.0),
        "nothing": np.zeros((0, 3)),
        "flags": np.array([True, False]),
        "big-endian": np.arange(3, dtype=">i4"),
        "text": np.array(["neutral", "né"]),
        "again": tracked,
    }
    read = loads(pickle.dumps(values, protocol=protocol))
    assert isinstance(read, dict) and list(read) == list(values)
    for name, value in values.items():
        assert type(read[name]) is np.ndarray, name
        assert read[name].dtype.kind == np.asarray(value).dtype.kind
        assert np.array_equal(read[name], value), name
    assert read["again"] is read["tracked"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).reshape(3, 4).T,
        torch.arange(12.0, dtype=torch.float64)[2:8:3],
        torch.tensor(5.0),
        torch.zeros(0, 4),
        torch.arange(4.0).expand(3, 4),
        torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        torch.tensor([1.5, -2.0], dtype=torch.float16),
        torch.tensor([[True], [False]]),
        torch.tensor([[-(2**62), 3]]),
        torch.nn.Parameter(torch.arange(3.0)),
    ],
    ids=str,
)
def test_tensors_are_read_as_torch_wrote_them(tensor: torch.Tensor, protocol: int) -> None:
    read = loads(pickle.dumps(tensor, protocol=protocol))
    plain = tensor.detach()
    expected = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    assert isinstance(read, np.ndarray) and read.dtype == expected.dtype
    assert np.array_equal(read, expected)


def test_arrays_that_python_2_wrote_are_read() -> None:
    """Text for bytes, and the module that numpy 1 had."""
    raw = np.array([1.0, -2.5], dtype="<f4").tobytes()
    content = (
        b"\x80\x02}q\x00U\x05betasq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02ctrimesh.caching\nTrackedArray\n"
        b"q\x03K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07(K\x01K\x01K\x02\x86q\x08cnumpy\ndtype\nq\tU\x02f4q\nK\x00"
        b"K\x01\x87q\x0bRq\x0c(K\x03U\x01<q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb\x89U"
        + bytes([len(raw)]) + raw + b"q\x0ftq\x10bs."
    )  # fmt: skip
    expected = pickle.loads(content, encoding="latin1")
    read = loads(content)
    assert isinstance(read, dict) and np.array_equal(read["betas"], expected["betas"])
    assert type(read["betas"]) is np.ndarray
    assert loads(b"S'a\\x00\\xe9\\'\\n\\\\'\n.") == "a\x00\xe9'\n\\"


class _Runs:
    """What a pickle of it would run, were it run."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.made = (call, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.made


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_runs_and_the_name_is_said(tmp_path: Path, protocol: int) -> None:
    witness = tmp_path / "it ran"
    for call, arguments, name in (
        (os.system, (f"touch '{witness}'",), "posix.system"),
        (os.mkdir, (str(witness),), "posix.mkdir"),
        (eval, (f"open({str(witness)!r}, 'w')",), "eval"),
        (np.load, (str(witness),), "numpy.load"),
        (torch.load, (str(witness),), "torch.serialization.load"),
    ):
        with pytest.raises(FormatError, match=f"wants to run .*{name}, which is refused"):
            loads(pickle.dumps({"betas": _Runs(call, *arguments)}, protocol=protocol))
    assert not witness.exists()


NUMPY = b"cnumpy.core.multiarray\n_reconstruct\n"
ARRAY = NUMPY + b"(cnumpy\nndarray\n(K\x00tC\x01btR"
HOSTILE = {
    "a call in an instance": (b"(S'touch x'\nios\nsystem\n.", "run os.system"),
    "a call in an object": (b"(cos\nsystem\nS'touch x'\no.", "run os.system"),
    "an object of a known class": (b"(cnumpy\nndarray\no.", "an object of numpy.ndarray"),
    "a new object": (b"cnumpy\nndarray\n)\x81.", "an object of numpy.ndarray"),
    "a new object by names": (b"\x80\x04cnumpy\nndarray\n)}\x92.", "an object of numpy.ndarray"),
    "an object of nothing": (b"(o.", "an object of a NoneType"),
    "an extension": (b"\x80\x02\x82\x07.", "extension 7"),
    "an extension of two bytes": (b"\x80\x02\x83\x07\x01.", "extension 263"),
    "an extension of four bytes": (b"\x80\x02\x84\x07\x00\x00\x00.", "extension 7"),
    "a persistent id": (b"Pthing\n.", "wants thing from outside"),
    "a persistent id on the stack": (b"(K\x01K\x02tQ.", "wants a tuple from outside"),
    "a set": (b"\x80\x04\x8f.", "a set"),
    "a frozen set": (b"\x80\x04(\x91.", "a set"),
    "a buffer from outside": (b"\x80\x05\x97.", "outside the file"),
    "names from the stack": (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "run os.system"),
    "a name within a known one": (b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.", "dtype.__init__"),
    "a name that is no text": (b"\x80\x04K\x01K\x02\x93.", "name is not text"),
    "a name with control characters": (b"c\x1b[2Jos\nsy\x07stem\n.", r"run \?\[2Jos.sy\?stem, which"),
    "a name without end": (b"cos\nsys", "truncated"),
    "a very long name": (b"c" + b"o" * 9999 + b"\nx\n.", r"run o{80}\.\.\., which"),
    "a call of a number": (b"K\x01)R.", "calls a int"),
    "a call of a class": (b"cnumpy\nndarray\n)R.", "calls numpy.ndarray"),
    "arguments that are no tuple": (NUMPY + b"]R.", "damaged"),
    "arguments too many": (NUMPY + b")R.", "damaged"),
    "a state for a name": (NUMPY + b"}b.", "sets the state of a Name"),
    "a state for a list": (b"]}b.", "sets the state of a list"),
    "attributes for an array": (ARRAY + b"}b.", "sets the state of a ndarray"),
    "an array of objects in an array": (
        ARRAY + b"(K\x01(K\x01tcnumpy\ndtype\n(S'O8'\nI00\nI01\ntRI00\nC\x08AAAAAAAAtb.",
        "an array of objects is not as long",
    ),
    "addresses for objects": (
        b"cnumpy.core.numeric\n_frombuffer\n(C\x08AAAAAAAAcnumpy\ndtype\n(S'O8'\ntR(K\x01tS'C'\ntR.",
        "Python objects stands where numbers",
    ),
    "a type with fields": (b"cnumpy\ndtype\n(S'f4,O8'\ntR.", "arrays of f4,O8 are not read"),
    "a time": (b"cnumpy\ndtype\n(S'M8'\ntR.", "arrays of M8 are not read"),
    "an array that lies": (
        ARRAY + b"(K\x01(J\xff\xff\xff\x7ftcnumpy\ndtype\n(S'f8'\ntRI00\nC\x08AAAAAAAAtb.",
        "2147483647 elements has 8 bytes",
    ),
    "a shape below nothing": (
        ARRAY + b"(K\x01(J\xff\xff\xff\xfftcnumpy\ndtype\n(S'f8'\ntRI00\nC\x08AAAAAAAAtb.",
        "shape makes no sense",
    ),
    "huge bytes": (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".", "bytes are asked for"),
    "a huge byte array": (b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".", "bytes are asked for"),
    "a huge text": (b"X\xff\xff\xff\xffabc.", "bytes are asked for"),
    "a text shorter than nothing": (b"T\xff\xff\xff\xffabc.", "bytes are asked for"),
    "a huge number": (b"\x8b\xff\xff\xff\x7f.", "bytes; parameters have none so long"),
    "a number with many digits": (b"L" + b"9" * 100_000 + b"L\n.", "digits"),
    "many instructions": (b"N0" * 200_000 + b"N.", "instructions"),
    "a huge place to keep": (b"Nr\xff\xff\xff\xff0j\xfe\xff\xff\xff.", "nothing was kept"),
    "keys that are numbers": (b"}K\x01Ns.", "a key is a int"),
    "keys that are tuples": (b"})Ns.", "a key is a tuple"),
    "half an item": (b"}(S'a'\nu.", "damaged"),
    "a list of a number": (b"K\x01Na.", "adds to a int"),
    "no stop": (b"N", "truncated"),
    "nothing": (b"", "truncated"),
    "two values": (b"NN.", "loose ends"),
    "a mark that stays": (b"(N.", "damaged"),
    "no mark": (b"t.", "mark that is not there"),
    "an empty stack": (b"0.", "not there"),
    "an unknown instruction": (b"\xff.", "no instruction 0xff"),
    "a zip file": (b"PK\x03\x04", "truncated"),
    "text that is not UTF-8": (b"X\x01\x00\x00\x00\xff.", "damaged"),
    "text without quotes": (b"Sabc\n.", "no quotes"),
    "a storage that is no file": (b"ctorch.storage\n_load_from_bytes\n(C\x02N.tR.", "truncated"),
    "a call in a storage": (
        b"ctorch.storage\n_load_from_bytes\n(B\x14\x00\x00\x00cos\nsystem\n(S'x'\ntR.tR.", "run os.system"
    ),
    "a tensor without storage": (b"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))NNtR.", "no storage"),
    "a mapping that calls": (b"ccollections\nOrderedDict\n(]tR.", "more than its items"),
    "bytes by another way": (b"c_codecs\nencode\n(S'aa'\nS'hex'\ntR.", "not written as latin1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pickle_is_one_error(kind: str) -> None:
    content, said = HOSTILE[kind]
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=said) as caught:
            loads(content)
        assert tracemalloc.get_traced_memory()[1] < 40 * len(content) + 200_000
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith("byte ")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


def test_a_tensor_cannot_reach_out_of_its_storage_or_grow_beyond_the_file() -> None:
    good = pickle.dumps(torch.arange(5.0), protocol=2)
    end = good.index(b"K\x00K\x05\x85q")
    for offset, size, step, said in (
        (1, 5, 1, "reaches to number 5 of 5"),
        (0, 3, 100, "reaches to number 200 of 5"),
        (255, 1, 1, "reaches to number 255 of 5"),
        (0, 2**30, 0, "many times its size"),
    ):
        numbers = (
            b"K" + bytes([offset]) + b"J" + struct.pack("<i", size) + b"\x85K" + bytes([step]) + b"\x85"
        )
        with pytest.raises(FormatError, match=said):
            loads(good[:end] + numbers + b"\x89NtR.")


def test_one_text_made_into_bytes_again_and_again_runs_out() -> None:
    text = b"X" + struct.pack("<I", 1000) + b"a" * 1000
    again = b"c_codecs\nencode\n(h\x01S'latin1'\ntR0"
    with pytest.raises(FormatError, match="many times its size"):
        loads(text + b"q\x010" + again * 1000 + b"N.")


def test_lists_in_lists_do_not_multiply() -> None:
    lists = b"]q\x00" + b"".join(
        b"](h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1]) for n in range(60)
    )
    value = loads(b"(" + lists + b"l.")
    with pytest.raises(FormatError, match="betas has lists in lists"):
        flat(value, "betas", 10)


def test_deep_nesting_is_no_recursion() -> None:
    deep = loads(b"]" * 20_000 + b"a" * 19_999 + b".")
    with pytest.raises(FormatError, match="betas has lists in lists"):
        flat(deep, "betas", 10)
    assert loads(b"]" + b"\x85" * 50_000 + b".") is not None


def test_a_list_in_itself_is_no_endless_walk() -> None:
    with pytest.raises(FormatError, match="lists in lists"):
        flat(loads(b"]q\x00h\x00a."), "betas", 10)


GOOD = [
    pickle.dumps(
        {
            "a": tracked_array(np.arange(6.0)),
            "b": [torch.eye(4), (1, "x", 2.5)],
            "c": np.float32(1),
            "d": {"e": b"\x00"},
        },
        protocol=p,
    )
    for p in PROTOCOLS
]


@settings(max_examples=600, deadline=None)
@given(
    content=st.sampled_from(GOOD),
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, 2**16),
)
def test_damaged_pickles_are_read_or_refused(
    content: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    damaged = bytearray(content)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    _survives(bytes(damaged[: cut if cut % 3 == 0 else None]))


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    _survives(content)


def _survives(content: bytes) -> None:
    try:
        loads(content)
    except FormatError as error:
        assert str(error).isprintable()
