"""Who carries out a plan: this process, or a cluster. Loads Dask only for a cluster: it takes a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.graph.plan import Crew
from pipeline.graph.profile import Profile
from pipeline.graph.serial import Serial

LOCAL, SLURM = "local", "slurm"
ADDRESSES = ("tcp://", "tls://")


@dataclass(frozen=True)
class Terms:
    """Where a crew works, and how many there are: 0 = this process alone, None = as many as fit.

    `where` is local, slurm (then `profile` says what a job is, and `logs` is a folder that all nodes share)
    or the address of a scheduler. `patience` is how many seconds to wait when there is no worker at all.
    `environment` is what workers find in theirs; a cluster that is there already is not told. Of local
    workers there are no more than `most`, where their number is not said.
    """

    where: str = "local"
    workers: int | None = None
    patience: float = 300.0
    profile: Profile | None = None
    logs: Path = Path()
    environment: Mapping[str, str] = field(default_factory=dict)
    most: int | None = None


def open_crew(terms: Terms) -> Crew:
    """A crew on these terms, ready to be entered."""
    if terms.workers == 0:
        return Serial()
    from pipeline.graph import cluster, sites  # noqa: PLC0415  Dask

    if terms.where == LOCAL:
        fits = sites.workers_here()
        workers = terms.workers or min(fits, terms.most or fits)
        site = sites.local(workers, terms.environment)
    elif terms.where == SLURM:
        if terms.profile is None:
            raise ConfigError("what to ask Slurm for is not said; name a profile, as docs/cluster.md shows")
        from pipeline.graph import batch  # noqa: PLC0415  Dask

        site = batch.open_site(terms.profile, terms.workers, terms.environment, terms.logs)
    elif terms.where.startswith(ADDRESSES):
        site = sites.existing(terms.where, terms.workers, terms.patience)
    else:
        raise ConfigError(f"cluster is {terms.where!r}; it is local, slurm, tcp://... or tls://...")
    return cluster.Crew(site, terms.patience)
