"""A person's joints, read from whichever format the dataset has them in. Refuses to know the formats."""

from __future__ import annotations

from pipeline.formats.joints import read_joint3d, read_kp3ds
from pipeline.records import Joints, Subject
from pipeline.store import Workspace

_READERS = {"kp3ds": read_kp3ds, "joint3d": read_joint3d}


def read_joints(work: Workspace, subject: Subject) -> Joints | None:
    """The joints of a subject, in the scan's coordinates; None = it has none."""
    if subject.joints is None:
        return None
    return _READERS[subject.joints_kind or ""](work.absolute(subject.joints))
