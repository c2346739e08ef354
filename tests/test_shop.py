"""What a worker keeps: one shop for an errand, in the right place, of the right program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from building import build
from test_build import add_scan

from manifests.lock import FolderLock
from manifests.read import open_manifest
from pipeline.conduct import shop as place
from pipeline.conduct.needs import Need, needs_of
from pipeline.conduct.shop import Errand, Lacking, Shop, close_shop, shop
from pipeline.conduct.staleness import Looks
from pipeline.config import Conduct, RenderRequest
from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.errors import ConfigError
from pipeline.keys import laid_in, looks_of
from pipeline.store import Workspace
from pipeline.version import code_version


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, built."""
    folder = tmp_path_factory.mktemp("data")
    for scan in ("00003", "00007"):
        add_scan(folder, scan)
    build(request(folder))
    return folder


def request(data: Path, **asked: object) -> RenderRequest:
    return replace(RenderRequest("2K2K", data, yaws=(0.0, 30.0), size=32), **asked)  # type: ignore[arg-type]


@pytest.fixture
def errand(data: Path) -> Iterator[Errand]:
    """An errand of a build that has begun."""
    work = Workspace(data, "2K2K")
    with FolderLock(work.manifests) as lock:
        yield Errand(work, request(data), code_version(), lock.sign)
    close_shop()


def need_of(errand: Errand, scan: str = "00003") -> Need:
    """All that may be needed of a scan."""
    found, manifest = survey(errand.work, layout_of("2K2K")), open_manifest(errand.work.manifests)
    asked = Conduct(force=True, subjects=(scan,))
    return next(iter(needs_of(errand.work, errand.request, found, asked, manifest)))


def looks(here: Shop, need: Need) -> Looks:
    """How the scan looks by its row."""
    row = need.earlier
    assert row
    scan_key = here.keys.of_scan(looks_of(row.mesh, row.textures, row.sources), laid_in(row))
    return Looks(scan_key, here.keys.marks_of(row.source_key, row.laid_key))


def test_a_worker_of_another_program_says_so(errand: Errand) -> None:
    with pytest.raises(ConfigError, match=r"runs scan2k .*, and this build 9\.9; install the same on both"):
        shop(replace(errand, code="9.9"))


def test_a_worker_that_sees_another_folder_says_so(
    errand: Errand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(place, "_SEEN_LATE", -1.0)
    elsewhere = replace(errand, work=Workspace(tmp_path, "2K2K"))
    with pytest.raises(ConfigError, match=r"does not see this build's data folder at .*; mount it there"):
        shop(elsewhere)
    with pytest.raises(ConfigError, match="does not see this build's data folder"):
        shop(replace(errand, sign="of another build"))


def test_a_shop_is_kept_for_an_errand_and_closed_for_another(errand: Errand) -> None:
    first = shop(errand)
    assert shop(replace(errand)) is first
    assert shop(replace(errand, force=True)) is not first
    close_shop()
    assert shop(errand) is not first


def test_a_mesh_is_read_once_and_again_when_it_changed(errand: Errand) -> None:
    here = shop(errand)
    need, other = need_of(errand), need_of(errand, "00007")
    first = here.cleaned(need)
    assert here.cleaned(replace(need, wants=())) is first
    assert here.cleaned(replace(need, stamp="another")) is not first
    second = here.cleaned(other)
    assert second is not first and here.cleaned(other) is second


def test_what_is_up_to_date_is_not_lacking_and_what_is_not_wanted_neither(errand: Errand) -> None:
    here, need = shop(errand), need_of(errand)
    assert len(need.wants) == 2 and here.lacking(need, looks(here, need)).wanted == {}
    path = errand.work.root / "PERS" / "DEPTH" / "2K2K_0_y_30_x" / "00003_back.png"
    content = path.read_bytes()
    path.unlink()
    try:
        lacking = here.lacking(need, looks(here, need))
        assert lacking.wanted == {need.wants[1].place: frozenset({"depth_back"})}
        assert not any(lacking.void.values()), "what comes back is what was there"
        first = replace(need, wants=need.wants[:1])
        assert here.lacking(first, looks(here, first)).wanted == {}
    finally:
        path.write_bytes(content)


def test_everything_wanted_is_lacking_of_a_scan_that_looks_otherwise(errand: Errand) -> None:
    here, need = shop(errand), need_of(errand)
    other = looks(here, need)._replace(scan_key="another")
    everything = {want.place: want.columns for want in need.wants}
    assert here.lacking(need, other) == Lacking(everything, everything)
    forced = shop(replace(errand, force=True))
    assert forced.lacking(need, looks(forced, need)).wanted == everything
    assert not any(forced.lacking(need, looks(forced, need)).void.values())
