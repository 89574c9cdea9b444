import numpy as np
import pytest

from emorec.data.clip import EMOTIONS
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.expression import ACTION_UNITS, BACKWARDS, EXPRESSIONS, Pose, perform
from emorec.data.synthetic.face import draw_face, make_look
from emorec.data.synthetic.voice import VOICES


def take(emotion, *, actor=1, intensity="strong"):
    return RavdessName(
        modality="av",
        channel="speech",
        emotion=emotion,
        intensity="normal" if emotion == "neutral" else intensity,
        statement=1,
        repetition=1,
        actor=actor,
    )


def test_every_emotion_has_a_face_and_a_voice_and_only_known_action_units():
    assert {*EXPRESSIONS, *BACKWARDS} == set(VOICES) == set(EMOTIONS)
    assert not set(EXPRESSIONS) & set(BACKWARDS)
    units = {unit for expression in EXPRESSIONS.values() for unit in expression.action_units}
    assert units <= set(ACTION_UNITS)


@pytest.mark.parametrize(
    ("emotion", "required"),
    # Lucey et al. 2010, Table 1: required units only; fear needs no AU 4 with an extreme AU 5
    [
        ("happy", {12}),
        ("sad", {1, 4, 15}),
        ("angry", {23, 24}),
        ("fearful", {1, 2, 5}),
        ("disgust", {9, 10}),
    ],
)
def test_an_expression_has_the_action_units_required_by_cohn_kanade(emotion, required):
    assert required <= set(EXPRESSIONS[emotion].action_units)


@pytest.mark.parametrize("emotion", [emotion for emotion in EMOTIONS if emotion != "neutral"])
def test_a_face_moves_from_neutral_to_an_apex_and_back_and_further_if_strong(emotion):
    muscle_indices = [
        i for i, f in enumerate(Pose._fields) if f not in ("blink", "jaw", "part", "nod")
    ]
    muscle_indices = [
        i for i in muscle_indices if not Pose._fields[i].startswith(("shift", "roll"))
    ]

    def activity(intensity):
        takes = [take(emotion, actor=actor, intensity=intensity) for actor in range(1, 9)]
        poses = np.mean([np.abs(perform(t, num_frames=46, seed=0).poses) for t in takes], axis=0)
        return poses[:, muscle_indices].sum(axis=1)

    strong, normal = activity("strong"), activity("normal")
    assert strong[[0, -1]].max() < 0.02
    assert 5 < strong.argmax() < 40
    assert strong.max() > 1.15 * normal.max() > 0.3


@pytest.mark.parametrize(
    ("pose", "rows", "columns"),
    [
        (Pose(brow_inner=1.0, brow_outer=1.0), (20, 55), (15, 113)),
        (Pose(lid_upper=1.0), (40, 70), (15, 113)),
        (Pose(blink=1.0), (40, 75), (15, 113)),
        (Pose(corner=1.0, stretch=0.6), (60, 120), (25, 103)),
        (Pose(jaw=1.0), (75, 128), (0, 128)),
    ],
)
def test_an_action_unit_changes_its_region_of_the_frame_only(pose, rows, columns):
    identity = make_look(5, seed=0)
    rest, moved = (
        draw_face(p, identity, width=128, height=128).astype(int) for p in (Pose(), pose)
    )
    changed = np.abs(moved - rest).max(axis=2) > 8
    inside = changed[slice(*rows), slice(*columns)].sum()
    assert inside > 60
    assert inside == changed.sum()
