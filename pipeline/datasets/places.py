"""Names in folders, and what they say. Refuses to open a file: a hundred thousand people are seconds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from pipeline.records import Subject
from pipeline.store import Workspace

SplitOf = Callable[[str], str]  # the split of a subject that its release says nothing of

REGISTERED = ("smplx10475_rigid_mesh.obj", "mesh_smplx.obj")
_IMAGES = (".png", ".jpg", ".jpeg")
_PARAMETERS = (".json", ".npz", ".pkl")
_OTHER_FACTS = ("kp3ds", "joints", "truth")  # what else lies beside a scan in such files


class Names:
    """What is in a folder: names sorted, and found whatever their case."""

    def __init__(self, path: str = "", folders: Sequence[str] = (), files: Sequence[str] = ()) -> None:
        self.path = path
        self.folders = sorted(folders)
        self.files = sorted(files)

    @cached_property
    def _spelt(self) -> dict[str, str]:
        """Each file as it is spelt, by that and by its small letters."""
        by_small = {name.lower(): name for name in reversed(self.files)}
        return by_small | {name: name for name in self.files}

    def first(self, *wanted: str) -> str | None:
        """The path of the first wanted file that is there."""
        for name in wanted:
            found = self._spelt.get(name) or self._spelt.get(name.lower())
            if found:
                return f"{self.path}/{found}"
        return None

    def images(self, stem: str, alone: bool = True) -> tuple[str, ...]:
        """The pictures called by a stem; where there is none, and a person is alone here, all of them."""
        own = self.first(*(f"{stem}{ending}" for ending in _IMAGES))
        if own or not alone:
            return (own,) if own else ()
        return tuple(f"{self.path}/{name}" for name in self.files if name.lower().endswith(_IMAGES))

    def materials(self) -> str | None:
        """The first material file."""
        return next((f"{self.path}/{name}" for name in self.files if name.lower().endswith(".mtl")), None)

    def parameters(self, stem: str) -> str | None:
        """The file of SMPL-X parameters, in a folder that is one person's."""
        candidates = [name for name in self.files if _may_hold_parameters(name.lower())]
        own = [name for name in candidates if name.startswith(stem)] or candidates
        names = (name for ending in _PARAMETERS for name in own if name.lower().endswith(ending))
        name = next(names, None)
        return f"{self.path}/{name}" if name else None


def _leads(question: Callable[[], bool]) -> bool:
    """The answer to what an entry is; a link that leads in a circle is nothing."""
    try:
        return question()
    except OSError:
        return False


def _may_hold_parameters(name: str) -> bool:
    return name.endswith(_PARAMETERS) and not any(fact in name for fact in _OTHER_FACTS)


class Tree:
    """A data folder, looked at by names alone; what cannot be looked at is kept in `faults` (path, why)."""

    def __init__(self, work: Workspace) -> None:
        self.dataset = work.dataset
        self.faults: list[tuple[str, str]] = []
        self._root = str(work.root)

    def names(self, folder: str) -> Names:
        """The names in a folder below the data folder: files, and folders.

        Hidden ones are some program's own and left out, and so are pipes and links that lead nowhere.
        """
        folders, files = list[str](), list[str]()
        try:
            with os.scandir(f"{self._root}/{folder}") as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if _leads(entry.is_dir):
                        folders.append(entry.name)
                    elif _leads(entry.is_file):
                        files.append(entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return Names()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.faults.append((folder, f"cannot be listed: {reason}; make it readable or move it away"))
        return Names(folder, folders, files)

    def identity(self, folder: str) -> tuple[int, int] | None:
        """What tells a folder from others whatever it is called; None where there is none."""
        try:
            status = Path(f"{self._root}/{folder}").stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def joint3d(self) -> Names:
        """The joint files of the dataset that lie apart from the scans."""
        return self.names(f"Joint3D/{self.dataset}")


Find = Callable[[Tree, SplitOf], Iterator[Subject]]
