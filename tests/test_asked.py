"""What a manifest says its last build was asked for: taken as it was meant, and never at its word."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_status import WHOLE, config_of, status, write
from up_to_date import Folder, add_scan, up_to_date

import cli
from pipeline.audit.asked import asked_in
from pipeline.config import PASSES, PROJECTIONS, ListRequest, RenderRequest


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Two scans of two views."""
    return up_to_date(tmp_path, ("00003", "00007"))


STRANGE = {
    "nothing": ("", "does not say"),
    "no facts": ("{}", "does not say"),
    "no object": ("[1]", "does not say"),
    "no JSON": ("{'size': 64}", "no JSON"),
    "too deep": ("[" * 60_000, "no JSON"),
    "too long": (" " * 70_000, "letters"),
    "a field of tomorrow": ('{"size": 64, "gl\\u001b[31m": 1}', r"gl\x1b[31m"),
    "a text for numbers": ('{"yaws": "0"}', "yaws"),
    "texts for numbers": ('{"yaws": ["0"]}', "yaws"),
    "a truth for a number": ('{"size": true}', "size"),
    "half a pixel": ('{"size": 64.5}', "size"),
    "too large": ('{"size": 1000000000000000000000000000000}', "size"),
    "nothing for a number": ('{"size": null}', "size"),
    "no number at all": (f'{{"yaws": [1{"0" * 400}]}}', "yaws"),
    "a number without end": ('{"yaws": [Infinity]}', "yaws"),
    "no share": ('{"drop_fragments": NaN}', "drop_fragments"),
    "an unknown pass": ('{"passes": ["color", "smell"]}', "smell"),
    "a device for a file": ('{"light": "sh", "light_file": "/dev/zero"}', "/dev/zero: is not a file"),
    "a file that is gone": ('{"light": "sh", "light_file": "gone.npy"}', "gone.npy: is not a file"),
    "a file that writes on the screen": (
        '{"light": "sh", "light_file": "\\u001b[31m"}',
        r"\x1b[31m: is not",
    ),
    "very many views": (
        json.dumps({"yaws": list(range(360)), "pitches": [i / 4 for i in range(200)]}),
        "72,000 views",
    ),
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_a_stranger_says_was_asked_for_is_not_believed(
    folder: Folder, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    config, said = STRANGE[what]
    add_scan(folder.work, "00005")
    write(folder, config)
    found = status(folder)
    unknown: dict[str, Any] = {"up_to_date": None, "unasked": None, "unknown": found.unknown}
    assert found == replace(WHOLE, unbuilt=1, **unknown)
    assert not found.is_whole
    assert cli.main(["status", "2K2K", "--data", str(folder.work.root)]) == 3
    told = capsys.readouterr().out
    assert told.isascii() and "\x1b" not in told
    (line,) = (line for line in told.splitlines() if line.startswith("not known: "))
    assert "what the last build was asked for" in line and said in line


def test_a_text_without_some_fields_means_their_usual_values(folder: Folder) -> None:
    write(folder, '{"size": 64, "yaws": [-30, 0], "dataset": "else", "data": "/nowhere"}')
    assert status(folder) == WHOLE


def test_every_request_comes_back_from_its_text(tmp_path: Path) -> None:
    light = tmp_path / "light.npy"
    np.save(light, np.ones((1, 9, 3)))
    usual = RenderRequest("ours", tmp_path)
    first = replace(
        usual, yaws=(-0.5, 7.0), pitches=(-3.0,), size=100, seed=2**62, demo_people=7, demo_vertices=9_000,
        layout="folder", body_models=tmp_path / "models", drop_fragments=0.01, drop_floor=True,
        max_texture_mpx=500, passes=PASSES, projections=PROJECTIONS, light="sh", light_file=light,
        image_format="jxl", depth_format="exr", gl_device=1, overlays=True, compat_keypoints=True,
    )  # fmt: skip
    second = replace(usual, occlusion=True)
    for field in fields(usual):
        values = [getattr(request, field.name) for request in (usual, first, second)]
        assert field.name in ("dataset", "data") or len(set(values)) > 1, f"{field.name} is left out here"
    here = ListRequest("ours", tmp_path)
    assert [asked_in(config_of(wish), here) for wish in (usual, first, second)] == [usual, first, second]
    assert asked_in(config_of(usual), replace(here, layout="2k2k")).layout == "2k2k"
