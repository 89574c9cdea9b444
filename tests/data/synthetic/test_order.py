import cv2
import decord
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emorec.data.clip import EMOTIONS
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.clips import draw_clip, encode_mp4, plan
from emorec.data.synthetic.expression import Pose, perform
from emorec.data.synthetic.face import draw_face, make_look
from emorec.data.synthetic.settings import ClipSettings


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


def dataset_frames(emotions, actors, size=28, num_frames=10):
    """Return (clips, T, size, size) grey frames at evenly spaced times, labels and actors."""
    settings = ClipSettings(width=size, height=size, num_frames=46)
    names = [n for n in plan(actors=actors, takes=2) if n.emotion in emotions]
    indices = np.linspace(0, 45, num_frames, dtype=int)
    clips = [
        [
            cv2.cvtColor(
                draw_face(Pose(*row), make_look(n.actor, seed=0), width=size, height=size),
                cv2.COLOR_RGB2GRAY,
            )
            for row in perform(n, num_frames=settings.num_frames, seed=0).poses[indices]
        ]
        for n in names
    ]
    labels = np.array([emotions.index(n.emotion) for n in names])
    return np.array(clips, float), labels, np.array([n.actor for n in names])


def held_out_accuracy(features, labels, train):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    features = features.reshape(len(features), -1)
    return model.fit(features[train], labels[train]).score(features[~train], labels[~train])


def test_surprise_is_fear_in_reverse_order():
    settings = ClipSettings(width=44, height=44)
    for intensity in ("normal", "strong"):
        fear, surprise = (
            draw_clip(take(emotion, actor=4, intensity=intensity), settings)
            for emotion in ("fearful", "surprised")
        )
        np.testing.assert_array_equal(fear, surprise[::-1])
        assert not (fear == surprise).all()


@pytest.mark.parametrize("num_frames", [4, 6, 10, 16])
def test_evenly_spaced_frames_of_a_default_clip_are_symmetric_in_time(num_frames):
    last = ClipSettings().num_frames - 1
    frames = np.linspace(0, last, num_frames, dtype=int)
    assert frames.tolist() == (last - frames[::-1]).tolist()


def test_surprise_and_fear_are_separable_by_frame_order_only():
    frames, labels, actors = dataset_frames(("fearful", "surprised"), range(1, 15))
    train = actors <= 9
    for pooled in (frames.mean(1), frames.std(1), frames.max(1), np.sort(frames, axis=1)):
        assert held_out_accuracy(pooled, labels, train) == 0.5
    assert held_out_accuracy(np.diff(frames, axis=1), labels, train) > 0.9
    assert held_out_accuracy(frames, labels, train) > 0.9


def test_pooled_frames_stay_inseparable_after_encoding(tmp_path):
    settings = ClipSettings(width=44, height=44, sound=False)
    indices = np.linspace(0, 45, 10, dtype=int)
    clips, labels, actors = [], [], []
    for name in (take(e, actor=a) for a in range(1, 13) for e in ("fearful", "surprised")):
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(encode_mp4(draw_clip(name, settings), fps=settings.fps))
        frames = decord.VideoReader(str(path)).get_batch(indices).asnumpy()
        clips.append([cv2.resize(frame, (12, 12)) for frame in frames])
        labels.append(name.emotion)
        actors.append(name.actor)
    clips, labels, train = np.array(clips, float), np.array(labels), np.array(actors) <= 8
    assert 0.2 <= held_out_accuracy(clips.mean(1), labels, train) <= 0.8
    assert held_out_accuracy(np.diff(clips, axis=1), labels, train) == 1.0


@pytest.mark.nightly
def test_the_eight_emotions_generalise_to_other_actors():
    frames, labels, actors = dataset_frames(EMOTIONS, range(1, 25), num_frames=6)
    train = actors <= 18
    assert held_out_accuracy(np.diff(frames, axis=1), labels, train) > 0.7
