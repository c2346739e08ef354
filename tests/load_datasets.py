"""Loads a folder with the `datasets` package: FOLDER, its cache, and a file for the pixels of the pictures.

Run on its own, since what `datasets` does when it is imported depends on the environment.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from datasets import load_dataset
from PIL import Image


def told(folder: str, cache: str, pixels_file: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of every split, with a picture's mode in its place, or `bytes` if it came as bytes."""
    pixels: dict[str, Any] = {}
    found: dict[str, list[dict[str, Any]]] = {}
    for split, rows in load_dataset(folder, cache_dir=cache).items():
        found[split] = list(rows)
        for number, row in enumerate(found[split]):
            for name, value in list(row.items()):
                if isinstance(value, Image.Image):
                    pixels[f"{split} {number} {name}"] = np.asarray(value)
                    row[name] = value.mode
                elif isinstance(value, dict):
                    pixels[f"{split} {number} {name}"] = np.frombuffer(value["bytes"], np.uint8)
                    row[name] = "bytes"
    np.savez(pixels_file, **pixels)
    return found


if __name__ == "__main__":
    print(json.dumps(told(*sys.argv[1:]), default=str))
