"""A folder that Hugging Face's `datasets` loads: Parquet files with the images in them, and a card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from manifests.pictures import write_pictures
from pipeline.export.chosen import Choice, Row
from pipeline.export.plan import Shard
from pipeline.rows import FILES

_PICTURES = tuple(file for file in FILES if file != "keypoints_file")  # keypoints are columns of their own


@dataclass(frozen=True)
class ParquetShards:
    """Shards as Parquet files; `endings` says which pictures Pillow can open."""

    choice: Choice
    endings: Mapping[str, frozenset[str]]

    @property
    def decoded(self) -> dict[str, bool]:
        """The pictures, and whether they are opened when read: Pillow cuts 16-bit RGB down to 8 bits."""
        return {
            file: self.endings[file] <= {".png"} and not file.startswith("normal") for file in _PICTURES
        }

    def name(self, shard: Shard) -> str:
        """A shard's file name."""
        return f"data/{shard.split}-{shard.number:05d}-of-{shard.of:05d}.parquet"

    def write(self, stream: BinaryIO, rows: Iterable[Row]) -> None:
        """One shard; the same rows and files give the same bytes."""
        write_pictures(stream, self.decoded, self._filled(rows))

    def header(self, shards: Iterable[Shard]) -> str:
        """The splits and their files, as `datasets` reads them."""
        splits = [shard.split for shard in shards if shard.number == 0]
        files = "".join(f"  - split: {split}\n    path: data/{split}-*.parquet\n" for split in splits)
        return f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n\n"

    def card(self, shards: Iterable[Shard]) -> str:
        """What to say of the whole."""
        closed = ", ".join(f"`{file}`" for file, is_open in self.decoded.items() if not is_open)
        return f"{_CARD}Not opened when read: {closed}.\n"

    def _filled(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            there = (file for file in _PICTURES if row[file] is not None)
            yield {
                **row,
                **{file: {"bytes": self.choice.content(row, file), "path": row[file]} for file in there},
            }


_CARD = """\
`datasets.load_dataset("path/to/this/folder")` reads it, and so does anything that reads Parquet. A row is
one view; its columns are those of the manifest with every number that is needed to use the images, and the
columns that name images there hold the images here. 16-bit depth comes as 16-bit pictures (mode `I;16`);
normals come as the bytes of their files, since Pillow would make 8 bits of their 16.
"""
