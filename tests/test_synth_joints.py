import numpy as np
import pytest

from pipeline.records import BodyParameters
from pipeline.synth.joints import kp3ds, smplx_joints, whole_body
from pipeline.synth.poses import POSES, pose
from pipeline.synth.stance import PoseValues

# the tables of docs/conventions: where each format keeps the 31 keypoints
_WHOLE_BODY = [*range(23), 96, 100, 104, 108, 117, 121, 125, 129]
_SMPLX = [
    55, 57, 56, 59, 58, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8, 60, 61, 62, 63, 64, 65,
    25, 28, 34, 31, 40, 43, 49, 46,
]  # fmt: skip
_BODY_25 = [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11, 19, 20, 21, 22, 23, 24]
_KP3DS = [*_BODY_25, *(25 + k for k in (5, 9, 13, 17)), *(46 + k for k in (5, 9, 13, 17))]


def _body(name: str, seed: int, scale: float = 1.0) -> BodyParameters:
    values = pose(name, seed)
    rng = np.random.default_rng(seed)
    fields = {field: getattr(values, field) for field in PoseValues.__slots__}
    return BodyParameters(
        "female",
        rng.normal(size=10),
        rng.normal(size=10),
        **fields,
        translation=rng.normal(size=3),
        scale=scale,
    )


@pytest.mark.parametrize("name", POSES)
def test_every_format_holds_the_same_31_keypoints(name: str) -> None:
    joints = smplx_joints(_body(name, 1))
    assert joints.shape == (144, 3)
    np.testing.assert_array_equal(whole_body(joints)[_WHOLE_BODY], joints[_SMPLX])
    np.testing.assert_array_equal(kp3ds(joints)[_KP3DS], joints[_SMPLX])


def test_formats_have_their_sizes_and_repeat_only_the_wrists() -> None:
    numbers = np.arange(144.0)[:, None] * np.ones(3)
    for picked, size in ((kp3ds(numbers), 118), (whole_body(numbers), 133)):
        assert len(picked) == size
        repeated, count = np.unique(picked[:, 0], return_counts=True)
        assert repeated[count > 1].tolist() == [20, 21]


def test_fingers_run_from_the_root_to_the_tip() -> None:
    joints = kp3ds(smplx_joints(_body("t-pose", 0)))
    for start, sign in ((25, 1), (46, -1)):
        hand = joints[start : start + 21]
        for finger in range(1, 5):
            along = sign * hand[1 + 4 * finger : 5 + 4 * finger, 0]
            assert (np.diff(along) > 0.01).all()
        knuckles = hand[[5, 9, 13, 17], 2]
        assert (np.diff(knuckles) < 0).all(), "index is the foremost, pinky the hindmost"


def test_joints_scale_and_move_with_the_scan() -> None:
    plain, scaled = _body("walking", 4), _body("walking", 4, scale=0.5)
    offset = plain.translation
    expected = (smplx_joints(plain) - offset) * 0.5 + offset
    np.testing.assert_allclose(smplx_joints(scaled), expected, atol=1e-6)
