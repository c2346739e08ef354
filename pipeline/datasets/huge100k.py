"""HuGe100K: `{batch}/images{n}/videos/{name}.mp4` and `.jpg`, `param/{name}.npy`; nobody was scanned.

What a person is like stands in the file's name, as Area_Gender_BodyType_Clothing_Age_ID. Names return in
other batches, so an id is batch, folder and name: `flux_batch1_images0_Kenya_female_fit_jeans_20~30_7`.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.datasets.places import Names, SplitOf, Tree
from pipeline.records import Subject

FACTS = ("parameters", "cameras", "pictures")
_PICTURES = (".jpg", ".mp4")
_DIVERSE = ("flux_batch8", "flux_batch9")  # everybody else stands with the arms held out, as an A


def find(tree: Tree, split_of: SplitOf) -> Iterator[Subject]:
    """Everybody of whom there is a film, a picture or a parameter file."""
    for batch in tree.names(tree.dataset).folders:
        for part in tree.names(f"{tree.dataset}/{batch}").folders:
            folder = f"{tree.dataset}/{batch}/{part}"
            videos, known = tree.names(f"{folder}/videos"), tree.names(f"{folder}/param")
            stems = _stems(known, ".npy").union(*(_stems(videos, ending) for ending in _PICTURES))
            for name in sorted(stems):
                subject = f"{batch}_{part}_{name}"
                facts = known.first(f"{name}.npy")
                pictures = (videos.first(f"{name}{ending}") for ending in _PICTURES)
                yield Subject(
                    dataset=tree.dataset,
                    id=subject,
                    split=split_of(subject),
                    parameters=facts,
                    cameras=facts,
                    pictures=tuple(path for path in pictures if path),
                    attributes=(("batch", batch), ("pose", _pose(batch)), *attributes_of(name)),
                )


def _stems(names: Names, ending: str) -> set[str]:
    return {name.removesuffix(ending) for name in names.files if name.endswith(ending)}


def _pose(batch: str) -> str:
    return "diverse" if batch in _DIVERSE else "A"


def attributes_of(name: str) -> tuple[tuple[str, str], ...]:
    """What a file's name says of the person; nothing where it is not in the form."""
    parts = name.split("_")
    if len(parts) < 6 or not all(parts):
        return ()
    area, gender, body_type, *clothing, age, number = parts
    return (
        ("area", area),
        ("gender", gender),
        ("body_type", body_type),
        ("clothing", "_".join(clothing)),
        ("age", age),
        ("number", number),
    )
