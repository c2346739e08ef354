from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from metric_people import people, truth
from torch import Tensor

from pipeline.records import U8
from recon import losses
from recon.data.augment import Prepared
from recon.network import Network, Prediction, Shape, Surfaces
from recon.training.page import Page, Word
from recon.training.pictures import sheet
from recon.windows import PARTS

PROFILE = losses.default()
Box = tuple[int, int, int, int]
Put = tuple[Tensor | None, Box]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shown() -> Prepared:
    return people()


@pytest.fixture
def puts(monkeypatch: pytest.MonkeyPatch) -> list[Put]:
    """What is put on pages from now on, and where."""
    made: list[Put] = []
    put = Page.put

    def noted(page: Page, image: Tensor | None, box: Box) -> None:
        made.append((image, box))
        put(page, image, box)

    monkeypatch.setattr(Page, "put", noted)
    return made


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pages say from now on."""
    said: list[str] = []
    say = Page.say

    def noted(page: Page, word: Word) -> None:
        said.append(word.text)
        say(page, word)

    monkeypatch.setattr(Page, "say", noted)
    return said


def at(page: U8, box: Box) -> U8:
    top, left, height, width = box
    return page[top : top + height, left : left + width]


@torch.no_grad()
def untrained(shown: Prepared, *, fine: bool) -> Prediction:
    torch.manual_seed(2)
    made: Prediction = Network(Shape(256, 4), refines=fine).eval()(shown.image_B3HW, shown.place)
    return made


def pairs(puts: list[Put], count: int) -> list[tuple[Put, Put]]:
    """The predicted and the true pictures of the whole person, which come after the input."""
    return [*zip(puts[1 : 1 + 2 * count : 2], puts[2 : 2 + 2 * count : 2], strict=True)]


def test_a_picture_comes_as_it_is_where_it_was_put() -> None:
    picture = torch.randint(0, 256, (3, 30, 20), generator=torch.Generator().manual_seed(1)) / 255
    page = Page(100, 80)
    page.put(picture, (40, 10, 30, 20))
    drawn = page.drawn()
    assert drawn.shape == (100, 80, 3)
    assert drawn.dtype == np.uint8
    wanted = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(at(drawn, (40, 10, 30, 20)), wanted)
    drawn[40:70, 10:30] = 255
    assert (drawn == 255).all()


def test_a_picture_is_fitted_without_being_stretched() -> None:
    checks = (torch.arange(8)[:, None] + torch.arange(16)).remainder(2).float().expand(3, 8, 16)
    page = Page(60, 100)
    page.put(checks, (0, 0, 50, 32))  # as wide as 2 x 16, in the middle of the height
    page.put(checks, (0, 40, 50, 8))  # half as wide
    page.put(None, (0, 60, 50, 8))
    drawn = page.drawn()
    assert (drawn[:17, :32] == 255).all()
    assert (drawn[33:, :32] == 255).all()
    blocks = np.kron(checks[0].numpy() * 255, np.ones((2, 2))).astype(np.uint8)
    assert np.array_equal(drawn[17:33, :32], np.repeat(blocks[..., None], 3, 2))
    grey = drawn[23:27, 40:48]
    assert ((grey == 127) | (grey == 128)).all()  # each the mean of two black and two white ones
    empty = drawn[:50, 60:68]
    assert len(np.unique(empty)) == 1
    assert 100 < empty[0, 0, 0] < 250


def test_words_are_written_about_their_place_and_darken_only_paper() -> None:
    page = Page(100, 300)
    page.put(torch.zeros(3, 100, 100), (0, 0, 100, 100))
    page.say(Word(200, 30, "normals, front"))
    drawn = page.drawn()
    rows, columns = np.nonzero((drawn[:, 100:] < 128).any(2))
    assert len(rows) > 50
    assert abs(rows.min() + rows.max() - 60) <= 6
    assert abs(columns.min() + columns.max() + 200 - 400) <= 6
    assert not drawn[:, :100].any()


@pytest.mark.parametrize(("fine", "count"), [(False, 5), (True, 7)])
def test_the_truth_looks_as_the_truth(shown: Prepared, puts: list[Put], fine: bool, count: int) -> None:
    page = sheet(truth(shown, PROFILE, fine=fine), shown, PROFILE, 1)
    assert page.dtype == np.uint8
    assert page.shape[2] == 3
    same = 0
    for (_, box), (true, true_box) in pairs(puts, count):
        apart = np.abs(at(page, box).astype(int) - at(page, true_box))
        assert apart.mean() < 3  # laid back normals are a little blurred
        same += not apart.any()
        assert true is not None
        assert true.amax() > 0.5  # there is somebody at all
    assert same == count - 2 * fine
    # A prediction is above what is true, and looks otherwise.
    puts.clear()
    page = sheet(untrained(shown, fine=fine), shown, PROFILE, 1)
    for (_, box), (_, true_box) in pairs(puts, count):
        assert box[0] < true_box[0]
        assert box[1] == true_box[1]
        assert np.abs(at(page, box).astype(int) - at(page, true_box)).mean() > 3


def test_the_input_is_the_persons_own(shown: Prepared, puts: list[Put]) -> None:
    for person in (0, 1):
        puts.clear()
        sheet(truth(shown, PROFILE), shown, PROFILE, person)
        assert puts[0][0] is not None
        torch.testing.assert_close(puts[0][0], shown.image_B3HW[person] / 2 + 0.5)


def test_depth_is_light_where_it_is_near_and_coloured_beyond(shown: Prepared, puts: list[Put]) -> None:
    true = truth(shown, PROFILE)
    low, mask = true.low.depth_B2HW, losses.mask_of(true.low.depth_B2HW)[0, 0]
    sheet(true, shown, PROFILE)
    front, back = (pair[1][0] for pair in pairs(puts, 5)[2:4])
    assert front is not None
    assert back is not None
    assert float(front[:, mask].max()) == 1.0
    assert float(back[:, mask].min()) == pytest.approx(0.15)
    assert (front[:, mask] >= back[:, mask]).all()
    assert not front[:, ~mask].any()
    for by, channel in ((-2.0, 2), (2.0, 0)):  # nearer is blue, farther red
        puts.clear()
        beyond = Surfaces(low + by, true.low.mask_logit_B1HW)
        sheet(replace(true, low=beyond), shown, PROFILE)
        made = pairs(puts, 5)[2][0][0]
        assert made is not None
        colours = made[:, mask]
        assert (colours.argmax(0) == channel).all()
        assert (colours.amax(0) > colours.amin(0)).all()
        assert not made[:, ~mask].any()


def test_parts_that_are_absent_are_said_to_be(puts: list[Put], words: list[str]) -> None:
    some = people(absent=(3, 4))
    sheet(truth(some, PROFILE), some, PROFILE)
    nothing = [box for image, box in puts if image is None]
    assert len(nothing) == words.count("absent") == 5  # image, and front and back, predicted and true
    assert len({left for _, left, _, _ in nothing}) == 1
    assert set(PARTS) <= set(words)


def test_a_sheet_of_nobody_can_be_drawn(shown: Prepared) -> None:
    nobody = replace(shown, depth_B2HW=torch.zeros_like(shown.depth_B2HW))
    for fine in (False, True):
        assert sheet(untrained(shown, fine=fine), nobody, PROFILE).any()
