"""What a network has learnt, by people whom it has never seen, beside two baselines and the limit.

All are judged alike: by depth of front and back inside the true silhouette, by the normals of that depth
(and a network also by those it merges from the parts), by how its silhouette overlaps the true one, and
by P2S: the mean distance from its points, front and back, to the scan's surface. A network's points are
those where it sees somebody and front lies before back; the surface is 400,000 points drawn evenly from the
scan's triangles, so P2S of points on it is not 0 but half their spacing. Lengths are as the scan has them.

The baselines are the mean depth of the people to learn from, one for all pixels of the front and one for
those of the back, inside the true silhouette; and the network before its first step. The limit is true
depth itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import trimesh
from scipy.spatial import cKDTree
from torch import Tensor

from manifests.read import open_manifest
from pipeline.formats.ply import read_ply
from pipeline.geometry.camera import DISTANCE
from pipeline.geometry.transform import turn_y
from pipeline.records import F64
from pipeline.store import Workspace
from recon.data.augment import Prepared, prepared
from recon.data.choice import choose
from recon.data.loading import Loader
from recon.losses import SIDES, mask_of
from recon.metrics.depths import depth_errors
from recon.metrics.inside import mean_inside
from recon.metrics.masks import overlap
from recon.metrics.normals import angles_deg, has_normal
from recon.network import Network, Prediction, Shape, Surfaces
from recon.normals import true_normals
from recon.rays import points
from recon.recipe import PAPER, Recipe, Source
from recon.training.start import start_from

SAMPLES = 400_000
CAMERA_3 = np.array((0.0, 0.0, DISTANCE))  # of the world
MOST_SURE = 20.0  # logit of a baseline's silhouette
COLUMNS = ("view", "scan", "aligned_to_world")
Student = Callable[[Prepared], tuple[Surfaces, Tensor | None]]  # surfaces, and merged normals if it has any


@dataclass(frozen=True, slots=True)
class Row:
    """How good one student is: means over all views."""

    name: str
    normals_deg: tuple[float, float]  # front, back
    merged_deg: tuple[float, float]
    depth: tuple[float, float]  # thousandths of a unit
    depth_mm: tuple[float, float]
    overlap: float
    p2s_cm: float

    @staticmethod
    def head() -> str:
        """The table's first lines."""
        names = (
            "",
            "normals of depth, degrees",
            "normals from parts, degrees",
            "depth, thousandths of a unit",
            "depth, mm",
            "overlap of silhouettes",
            "P2S, cm",
        )
        return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"

    def line(self) -> str:
        """The table's line; front and back of a pair are divided by a stroke."""
        pairs = (self.normals_deg, self.merged_deg, self.depth, self.depth_mm)
        shown = ["–" if np.isnan(a) else f"{a:.1f} / {b:.1f}" for a, b in pairs]
        overlap = "given" if self.overlap == 1 else f"{self.overlap:.3f}"
        p2s = "–" if np.isnan(self.p2s_cm) else f"{self.p2s_cm:.2f}"
        return f"| {self.name} | {' | '.join(shown)} | {overlap} | {p2s} |"


class Exam:
    """People of a dataset, all of split test, and those of another that were there to learn from."""

    def __init__(self, data: Path, dataset: str, taught: str, recipe: Recipe, device: str) -> None:
        self.recipe = recipe
        self._taught = _loader(data, taught, "train", recipe)
        self._people = _loader(data, dataset, "test", recipe)
        self._truth = Truth(data, dataset)
        is_there = device != "cpu" and torch.cuda.is_available()
        self._device = torch.device("cuda" if is_there else "cpu")

    def rows(self, weights: Path) -> list[Row]:
        """Everybody's marks."""
        students = {
            "mean depth of the training set": self.mean_depth(),
            "untrained network": network_student(self.network(None)),
            "trained network": network_student(self.network(weights)),
            "limit: true depth": lambda shown: (_sure(shown.depth_B2HW, shown), None),
        }
        return [self._row(name, student) for name, student in students.items()]

    def network(self, weights: Path | None) -> Network:
        """A network as a training begins with it, or with weights that it came to."""
        torch.manual_seed(self.recipe.seed)
        is_paper = self.recipe.profile == PAPER
        network = Network(Shape(self.recipe.size, self.recipe.width, published_ends=is_paper))
        if weights is not None:
            start_from(network, weights)
        return network.to(self._device).eval()

    def shown(self) -> Iterator[tuple[tuple[str, ...], Prepared]]:
        """The views that are examined, batch by batch, with their names."""
        for batch in self._people.all():
            yield batch.names, prepared(batch.to(self._device), self.recipe)

    def mean_depth(self) -> Student:
        """One depth for all fronts, one for all backs."""
        total_2, count = torch.zeros(2, dtype=torch.float64), 0
        for batch in self._taught.all():
            depth_B2HW = prepared(batch, self.recipe).depth_B2HW
            total_2 += depth_B2HW.sum((0, 2, 3), dtype=torch.float64)
            count += int(mask_of(depth_B2HW).sum())
        mean_211 = (total_2 / count).float()[:, None, None].to(self._device)
        return lambda shown: (_sure(mean_211.expand_as(shown.depth_B2HW), shown), None)

    @torch.no_grad()
    def _row(self, name: str, student: Student) -> Row:
        found: list[F64] = []
        for names, shown in self.shown():
            surfaces, merged_B6HW = student(shown)
            units_mm = torch.tensor([self._truth.unit_mm(one) for one in names], device=self._device)
            found += [_marks(surfaces, merged_B6HW, shown, units_mm), self._p2s(names, surfaces)]
        marks = np.concatenate([np.concatenate(found[0::2], 1), np.concatenate(found[1::2], 1)]).mean(1)
        normals, merged, depth, depth_mm = ((float(a), float(b)) for a, b in marks[:8].reshape(4, 2))
        return Row(name, normals, merged, depth, depth_mm, float(marks[8]), float(marks[9]))

    def _p2s(self, names: tuple[str, ...], surfaces: Surfaces) -> F64:
        """Mean distance of each view's points to the scan (1, B), in centimetres."""
        depth_B2HW = Surfaces(surfaces.with_background(), surfaces.mask_logit_B1HW).cleared()
        points_B2HW3 = points(depth_B2HW).movedim(2, -1)
        means = []
        for name, depth_2HW, points_2HW3 in zip(names, depth_B2HW, points_B2HW3, strict=True):
            seen_N3 = points_2HW3[depth_2HW > 0].double().cpu().numpy()
            away = self._truth.distances(name, seen_N3 + CAMERA_3)
            means.append(away.mean() * self._truth.unit_mm(name) / 10 if len(away) else np.nan)
        return np.array([means])


class Truth:
    """The scans' surfaces, where each view has them, and how long a unit of the world is."""

    def __init__(self, data: Path, dataset: str) -> None:
        work = Workspace(data, dataset)
        manifest = open_manifest(work.manifests)
        self._scans = {row["scan"]: row for row in manifest.scans().to_pylist()}
        self._turns = {
            f"{dataset}/{row['scan']}/{row['view']}": (
                row["scan"],
                np.array(row["aligned_to_world"]).reshape(4, 4)[:3, :3],
            )
            for row in manifest.views(COLUMNS).to_pylist()
        }
        self._work = work
        self._surface = cache(self._sampled)

    def unit_mm(self, name: str) -> float:
        """Millimetres of the person of a view in one unit of the world; scans are in metres."""
        return 1000.0 / float(self._scans[self._turns[name][0]]["scale"])

    def distances(self, name: str, world_N3: F64) -> F64:
        """How far points of a view's world are from the scan (N,), in units."""
        scan, turn = self._turns[name]
        away: F64 = self._surface(scan).query(world_N3 @ turn, workers=-1)[0]
        return away

    def _sampled(self, scan: str) -> cKDTree:
        """Points spread evenly over an aligned scan."""
        row = self._scans[scan]
        mesh = read_ply(self._work.absolute(row["mesh"]))
        centred = (mesh.vertices - np.array(row["centre"])) * row["scale"]
        surface = trimesh.Trimesh(centred @ turn_y(-row["front_yaw"]).T, mesh.faces, process=False)
        return cKDTree(trimesh.sample.sample_surface(surface, SAMPLES, seed=0)[0])


def network_student(network: Network) -> Student:
    """A network's refined surfaces, and the normals that it merges."""

    def answer(shown: Prepared) -> tuple[Surfaces, Tensor]:
        made: Prediction = network(shown.image_B3HW, shown.place)
        assert made.fine is not None
        return made.fine.surfaces, made.fine.normals_B6HW

    return answer


def _loader(data: Path, dataset: str, split: str, recipe: Recipe) -> Loader:
    choice = choose((Source(dataset),), data, split, (), recipe.size)
    return Loader(choice, recipe, backgrounds=None, workers=0)


def _sure(depth_B2HW: Tensor, shown: Prepared) -> Surfaces:
    """Surfaces inside the true silhouette."""
    there_B1HW = mask_of(shown.depth_B2HW).to(depth_B2HW)
    return Surfaces(depth_B2HW, (there_B1HW * 2 - 1) * MOST_SURE)


def _marks(surfaces: Surfaces, merged_B6HW: Tensor | None, shown: Prepared, units_mm_B: Tensor) -> F64:
    """Normals of depth, merged ones, depth in thousandths and mm, front and back each; overlap (9, B)."""
    mask_B1HW = mask_of(shown.depth_B2HW)
    true_B6HW = true_normals(shown.depth_B2HW, mask_B1HW)
    of_depth_B6HW = true_normals(surfaces.depth_B2HW, mask_B1HW)
    nothing_B = torch.full_like(units_mm_B, torch.nan)
    angles, merged = _angles(of_depth_B6HW, true_B6HW), [nothing_B] * len(SIDES)
    if merged_B6HW is not None:
        merged = _angles(merged_B6HW, true_B6HW)
    errors_B2HW = depth_errors(surfaces.depth_B2HW, shown.depth_B2HW)
    depth = [mean_inside(errors_B1HW, mask_B1HW) for errors_B1HW in errors_B2HW.chunk(2, 1)]
    depth_mm = [error_B * units_mm_B / 1000 for error_B in depth]
    over_B = overlap(surfaces.mask_logit_B1HW > 0, mask_B1HW)
    return torch.stack([*angles, *merged, *depth, *depth_mm, over_B]).double().cpu().numpy()


def _angles(made_B6HW: Tensor, true_B6HW: Tensor) -> list[Tensor]:
    """Mean degrees of front and back (B,), wherever there is a true normal."""
    sides = zip(made_B6HW.chunk(2, 1), true_B6HW.chunk(2, 1), strict=True)
    return [mean_inside(angles_deg(made, true), has_normal(true)) for made, true in sides]
