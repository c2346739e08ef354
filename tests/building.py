"""Builds for tests: in this process, unless something else is asked for."""

from __future__ import annotations

from pipeline.build import render
from pipeline.conduct.standing import Standing, Summary
from pipeline.config import Conduct, RenderRequest


class Heard:
    """Who watches a build and keeps every line, of all kinds together."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.say = self.scan = self.warn = self.lines.append
        self.standing: Standing | None = None

    def follow(self, standing: Standing) -> None:
        """The build's standing."""
        self.standing = standing


def build(request: RenderRequest, heard: Heard | None = None, **conduct: object) -> Summary:
    """What a build did; what it said is in `heard`."""
    return render(request, heard or Heard(), Conduct(**{"workers": 0, **conduct}))  # type: ignore[arg-type]


def told(request: RenderRequest, **conduct: object) -> list[str]:
    """What a build said of its scans; what it says of the machine is another matter."""
    heard = Heard()
    build(request, heard, **conduct)
    return [line for line in heard.lines if not line.startswith("warning: ")]


def nothing(dataset: str = "2K2K", scans_made: int = 0, views_made: int = 0, images: int = 0) -> Summary:
    """What a build says that did nothing, or what is counted."""
    return Summary(dataset, scans_made, 0, views_made, 0, images, {}, 0, 0.0)
