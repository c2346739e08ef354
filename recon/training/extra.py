"""What shows how far a training is, and may not be installed. Refuses to install anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import ConfigError


@contextmanager
def extra() -> Iterator[None]:
    """While importing what only training needs: says in one line how to get what is not there."""
    try:
        yield
    except ImportError as problem:
        name = problem.name or str(problem).splitlines()[0]
        raise ConfigError(
            f"{name} is not installed, and training needs it; run pip install 'scan2k[train]'"
        ) from problem
