"""The table of datasets: how each is laid out, what its people can have, and where it is looked for."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.datasets import demo, folder, huge100k, renderpeople, thuman2, twok2k
from pipeline.datasets.ids import fault_of, printable
from pipeline.datasets.places import Find
from pipeline.errors import ConfigError
from pipeline.store import Workspace


@dataclass(frozen=True)
class Layout:
    """One way of keeping people: `facts` is what they can have, `expected` what to put where."""

    name: str
    find: Find
    facts: tuple[str, ...]
    expected: str
    place: str = "obj/{dataset}"
    overrides: str | None = None  # the file in `data` that says what is known of the release's people

    def folder(self, work: Workspace) -> str:
        """The dataset's folder, below the data folder."""
        return self.place.format(dataset=work.dataset)


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("2k2k", twok2k.find, twok2k.FACTS, "ID/ID.ply, or that below train, test, 1M or 50K"),
        Layout("thuman2", thuman2.find, thuman2.FACTS, "data/ID/ID.obj and smplx/ID/smplx_param.pkl"),
        Layout(
            "renderpeople",
            renderpeople.find,
            renderpeople.FACTS,
            "rp_NAME_posed_NNN_OBJ/rp_NAME_posed_NNN_100k.obj",
            overrides="renderpeople.toml",
        ),
        Layout(
            "huge100k",
            huge100k.find,
            huge100k.FACTS,
            "BATCH/images0/videos/NAME.mp4 and BATCH/images0/param/NAME.npy",
            place="{dataset}",
        ),
        Layout("folder", folder.find, folder.FACTS, "PLY, OBJ or GLB files, at any depth"),
    )
}
DATASETS = {
    demo.NAME: LAYOUTS["2k2k"],
    "2K2K": LAYOUTS["2k2k"],
    "THuman2": LAYOUTS["thuman2"],
    "RP": LAYOUTS["renderpeople"],
    "HuGe100K": LAYOUTS["huge100k"],
    "folder": LAYOUTS["folder"],
}


def layout_of(dataset: str, layout: str | None = None) -> Layout:
    """How a dataset is laid out: as was asked, else as its name says; an unknown one is refused."""
    fault = fault_of(dataset)
    if fault:
        raise ConfigError(f"the dataset's name {printable(dataset)!r} {fault}; give another")
    if layout is not None:
        if layout not in LAYOUTS:
            raise ConfigError(f"there is no layout {layout!r}; choose {', '.join(LAYOUTS)}")
        return LAYOUTS[layout]
    if dataset not in DATASETS:
        raise ConfigError(
            f"there is no dataset {dataset!r}; choose {', '.join(DATASETS)}, "
            "or say how it is laid out, as with --layout folder"
        )
    return DATASETS[dataset]
