"""Reading manifests: what is asked for comes back, and whatever is wrong with a file is a ManifestError."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from manifest_rows import FACTS, reject_row, scan_row, view_row

from manifests import files, fold, journal, migrate, schema
from manifests.files import metadata_of
from manifests.lock import FolderLock
from manifests.migrate import Step
from manifests.read import Manifest, open_manifest
from manifests.schema import KINDS, VIEWS, Kind, rows_of
from pipeline.errors import ManifestError
from pipeline.rows import ViewRow

SCANS = tuple(f"{number:05d}" for number in range(9))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine scans of two views, in row groups of five."""
    monkeypatch.setattr(files, "GROUP_ROWS", 5)
    for scan in SCANS:
        journal.record(tmp_path, scan_row(scan), [view_row(scan, 0), view_row(scan, 10)])
    journal.reject(tmp_path, reject_row("00099"))
    with FolderLock(tmp_path) as lock:
        fold.fold(lock, FACTS)
    return tmp_path


def test_all_rows_come_in_the_order_of_the_scans(folder: Path) -> None:
    manifest = open_manifest(folder)
    assert manifest.counts == {"scans": 9, "views": 18, "rejects": 1}
    expected = [view_row(scan, yaw) for scan in SCANS for yaw in (0, 10)]
    assert rows_of(ViewRow, manifest.views()) == expected


@pytest.mark.parametrize("scans", [["00000"], ["00008", "00002"], ["00003", "nobody"], []])
def test_views_of_some_scans(folder: Path, scans: list[str]) -> None:
    found = open_manifest(folder).views(columns=["yaw", "scan"], scans=scans)
    assert found.column_names == ["yaw", "scan"]
    wanted = sorted(set(scans) & set(SCANS))
    assert found.to_pylist() == [{"yaw": yaw, "scan": s} for s in wanted for yaw in (0.0, 10.0)]


def test_views_of_a_split_and_of_both(folder: Path) -> None:
    manifest = open_manifest(folder)
    by_split = {
        name: manifest.views(["scan"], split=name).column(0).to_pylist() for name in ("train", "val")
    }
    for name, scans in by_split.items():
        assert scans == [scan for scan in SCANS if scan_row(scan).split == name for _ in range(2)]
        assert scans
    mixed = manifest.views(["scan"], scans=[by_split["train"][0], by_split["val"][0]], split="val")
    assert mixed.column(0).to_pylist() == by_split["val"][:2]


def test_a_column_that_does_not_exist_is_a_mistake_of_the_caller(folder: Path) -> None:
    with pytest.raises(KeyError, match="no column yaws"):
        open_manifest(folder).views(columns=["yaws"])


def test_reading_goes_on_in_the_old_file_when_it_is_replaced(folder: Path) -> None:
    batches = open_manifest(folder).batches(VIEWS, ["scan"])
    assert [next(batches).num_rows for _ in range(2)] == [0, 5]
    journal.record(folder, scan_row("000"), [view_row("000", yaw) for yaw in range(9)])
    with FolderLock(folder) as lock:
        fold.fold(lock, FACTS)
    assert sum(batch.num_rows for batch in batches) == 13
    assert open_manifest(folder).counts["views"] == 27


def test_keys_say_which_views_are_up_to_date(folder: Path) -> None:
    keys = open_manifest(folder).keys()
    assert len(keys) == 18
    assert "00004" in keys
    assert "nobody" not in keys
    assert keys.of("nobody") == {}
    rows = [view_row("00004", yaw) for yaw in (0, 10)]
    assert keys.of("00004") == {(row.view, row.projection): row.key for row in rows}
    assert set(open_manifest(folder).keys("light").of("00004").values()) == {"studio"}


def test_a_manifest_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="is not there; `scan2k render` makes it"):
        open_manifest(tmp_path)


def _store(folder: Path, table: pa.Table, said: Mapping[str, str]) -> None:
    pq.write_table(table.replace_schema_metadata(dict(said)), folder / "views.parquet")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop_columns(["yaw"]), "no column yaw"),
        (
            lambda table: table.append_column("mood", table["yaw"]),
            "column mood that its schema",
        ),
        (
            lambda table: table.set_column(5, "yaw", table["yaw"].cast(pa.float32())),
            "column yaw is float, and must be double",
        ),
    ],
)
def test_a_table_that_disagrees_with_its_schema_is_refused_by_column(
    folder: Path, change: Step, said: str
) -> None:
    table = open_manifest(folder).views()
    _store(folder, change(table), metadata_of("ViewRow", FACTS))
    with pytest.raises(ManifestError, match=said):
        open_manifest(folder)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"scan2k.row": "ScanRow"}, "holds ScanRow, and must hold ViewRow"),
        ({"scan2k.schema_version": "two"}, "does not say its schema version"),
        ({"scan2k.schema_version": "3"}, "version 3, and this program knows 2 at most; use a newer scan2k"),
        ({"scan2k.schema_version": "0"}, "cannot be taken to 2; .*run `scan2k render 2K2K`"),
    ],
)
def test_what_a_file_says_of_itself_is_checked(folder: Path, metadata: dict[str, str], said: str) -> None:
    table = open_manifest(folder).views()
    _store(folder, table, metadata_of("ViewRow", FACTS) | metadata)
    with pytest.raises(ManifestError, match=said):
        open_manifest(folder)


def test_a_file_of_anybody_elses_is_refused(folder: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), folder / "views.parquet")
    with pytest.raises(ManifestError, match="holds unknown rows"):
        open_manifest(folder)
    for content in (b"", b"PAR1", b"PAR1" * 100, bytes(1000)):
        (folder / "views.parquet").write_bytes(content)
        with pytest.raises(ManifestError, match="is damaged or no manifest"):
            open_manifest(folder)


def test_an_older_version_is_read_through_its_steps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_manifest(folder).views()
    old = whole.rename_columns(["angle" if name == "yaw" else name for name in whole.column_names])
    _store(folder, old, metadata_of("ViewRow", FACTS))
    for module in (schema, files, migrate):
        monkeypatch.setattr(module, "VERSION", 3)

    def step(table: pa.Table) -> pa.Table:
        return table.rename_columns(["yaw" if name == "angle" else name for name in table.column_names])

    monkeypatch.setattr(migrate, "STEPS", {("views", 2): step})
    with files.TableFile(folder / "views.parquet", VIEWS) as file:
        assert file.group(0, ["yaw"]).column("yaw").to_pylist() == whole.column("yaw").to_pylist()
        assert file.group(0).column_names == whole.column_names
    monkeypatch.setattr(migrate, "STEPS", {("views", 2): lambda table: table})
    with (
        files.TableFile(folder / "views.parquet", VIEWS) as file,
        pytest.raises(ManifestError, match="no column yaw"),
    ):
        file.group(0)


NEW_IN_2 = {
    "scans": ["named", "stamp", "laid_key"],
    "views": ["keypoints_key"],
    "rejects": ["named", "stamp"],
}


def test_a_manifest_of_version_1_is_read_and_written_anew_by_the_next_build(folder: Path) -> None:
    """Its columns were those of version 2 without a few, which come back empty; all else stays."""
    tables = {kind: open_manifest(folder).batches(kind) for kind in KINDS}
    before = {kind: pa.concat_tables(found).combine_chunks() for kind, found in tables.items()}
    for kind, table in before.items():
        old = metadata_of(kind.row.__name__, FACTS) | {"scan2k.schema_version": "1"}
        shorter = table.drop_columns(NEW_IN_2[kind.name]).replace_schema_metadata(old)
        pq.write_table(shorter, folder / kind.file, row_group_size=5)
    expected = {kind: _emptied(table, NEW_IN_2[kind.name]) for kind, table in before.items()}
    for _ in range(2):
        found = open_manifest(folder)
        assert found.counts == {"scans": 9, "views": 18, "rejects": 1}
        for kind in KINDS:
            assert pa.concat_tables(found.batches(kind)).to_pylist() == expected[kind]
        journal.reject(folder, reject_row("00099", stamp=""))
        with FolderLock(folder) as lock:
            fold.fold(lock, FACTS)
    assert pq.read_metadata(folder / "views.parquet").metadata[b"scan2k.schema_version"] == b"2"


def _emptied(table: pa.Table, names: list[str]) -> list[dict[str, object]]:
    empty = {name: [] if name == "named" else "" for name in names}
    return [row | empty for row in table.to_pylist()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_file_describes_itself_to_any_reader(folder: Path, kind: Kind) -> None:
    found = pq.read_schema(folder / kind.file)
    assert found.metadata[b"scan2k.config"] == FACTS.config.encode()
    assert found.metadata[b"scan2k.licence"] == FACTS.licence.encode()
    assert found.metadata[b"scan2k.dataset"] == b"2K2K"
    assert all(field.metadata[b"description"] for field in found)


def test_keypoints_are_read_without_the_rest(folder: Path) -> None:
    """The bytes of other columns are overwritten, and the keypoints still come."""
    path = folder / "views.parquet"
    column = pq.read_metadata(path).row_group(0)
    content = bytearray(path.read_bytes())
    for number in range(column.num_columns):
        chunk = column.column(number)
        if not chunk.path_in_schema.startswith("keypoints_uv"):
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(content)
    manifest = Manifest(folder, FACTS, {})
    first = next(batch for batch in manifest.batches(VIEWS, ["keypoints_uv"]) if batch.num_rows)
    assert tuple(first.column(0)[0].as_py()) == view_row().keypoints_uv
    with pytest.raises(ManifestError):
        manifest.views(["yaw"])


FUZZ = """
import random, resource, sys
sys.path.insert(0, {root!r})
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from pathlib import Path
from manifests.journal import entries, rows_in
from manifests.read import open_manifest
from manifests.schema import KINDS
from pipeline.errors import ManifestError
folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
targets = [(path, path.read_bytes()) for path in sorted(folder.rglob("*.parquet"))]
refused = read = 0
for number in range(count):
    path, whole = targets[number % len(targets)]
    content = bytearray(whole)
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    for _ in range(rng.choice((1, 1, 2, 8))):
        low = len(whole) - footer if rng.random() < 0.6 else 0
        place = rng.randrange(low, len(content))
        flipped = content[place] ^ (1 << rng.randrange(8))
        content[place] = rng.choice((0, 0x7F, 0x80, 0xFF, rng.randrange(256), flipped))
    if rng.random() < 0.1:
        del content[rng.randrange(len(content)):]
    print(number, flush=True)
    path.write_bytes(content)
    try:
        manifest = open_manifest(folder)
        for table in (manifest.views(), manifest.scans(), manifest.rejects()):
            table.validate(full=True)
        for kind in KINDS:
            rows_in(entries(folder), kind)
        read += 1
    except ManifestError:
        refused += 1
    path.write_bytes(whole)
print("refused", refused, "read", read)
"""


def _fuzzed(folder: Path, seed: int, count: int) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-c", FUZZ.format(root=str(Path(__file__).parents[1])))
    arguments = (str(folder), str(seed), str(count))
    return subprocess.run((*command, *arguments), capture_output=True, text=True, check=False)


def test_a_hostile_file_is_refused_and_crashes_nothing(folder: Path) -> None:
    journal.record(folder, scan_row(), [view_row()])
    done = _fuzzed(folder, 0, 200)
    assert done.returncode == 0, (done.stdout[-20:], done.stderr[-2000:])
    assert int(done.stdout.split()[-3]) > 100
