"""Utterances of one dialogue are decoded together, and each is what it is alone."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.data.cache.decode_pool import DecodePool
from emorec.data.cache.look_through import LookedThrough, look_through
from emorec.data.cache.manifest import part
from emorec.data.clip import Clip, Half
from emorec.data.recipe import Recipe
from emorec.data.video.reader import ClipError, Decoder, decode, decode_spans, linspace_indices
from tests import videos

RECIPE = Recipe(num_frames=4, size=(32, 32))
FPS = 15
"""Sixty frames, more than which have no grey level of their own, are four seconds."""

SPANS = [(0.9, 1.7), (0.0, 0.4), (2.0, 9.0), (0.2, 1.0), (1.5, 1.6)]


def utterances(path: Path, number: int, last: float = 3.0) -> list[Clip]:
    """Spans of half a second that overlap, of either half, not in their order in time."""
    starts = np.random.default_rng(0).permutation(np.linspace(0, last, number))
    halves: list[Half] = ["left", "right"]
    return [
        Clip(
            path=path,
            label=0,
            actor="a",
            take=f"{path.stem}_{at:02d}",
            span_seconds=(round(float(start), 3), round(float(start) + 0.5, 3)),
            half=halves[at % 2],
        )
        for at, start in enumerate(starts)
    ]


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("kind", ["plain", "b-frames", "an end that is not there"])
def test_spans_of_one_pass_are_bit_for_bit_those_of_a_pass_each(
    tmp_path: Path, decoder: Decoder, kind: str
) -> None:
    bframes = 2 if kind == "b-frames" else 0
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=FPS, bframes=bframes)
    if kind.startswith("an end"):
        videos.hide_end(path, 1, FPS)
    sampler = partial(linspace_indices, num_frames=5)
    together = decode_spans(path, sampler, SPANS, decoder)
    for span, found in zip(SPANS, together, strict=True):
        alone = decode(path, sampler, span, decoder)
        assert found is not None
        assert np.array_equal(found.frames, alone.frames)
        assert (found.indices, found.video_frames) == (alone.indices, alone.video_frames)


def test_a_span_without_a_frame_is_an_error(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=FPS)
    with pytest.raises(ClipError, match="no frame starts between 5 s and 6 s"):
        decode_spans(path, range, [(0.0, 0.5), (5.0, 6.0)])


def looked(clips: list[Clip], folder: Path) -> LookedThrough:
    return look_through(clips, RECIPE, folder, keep_frames=True, workers=2, progress=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many spans each request was about."""
    seen: list[int] = []

    class Counted(DecodePool):
        def answers(self, requests: Mapping[Any, Mapping[str, Any]]) -> Any:
            pictures = [each for each in requests.values() if "recipe" in each]
            seen.extend(len(each.get("parts", [0])) for each in pictures)
            return super().answers(requests)

    monkeypatch.setattr("emorec.data.cache.look_through.DecodePool", Counted)
    return seen


def test_a_dialogue_is_decoded_once_for_all_its_utterances(
    tmp_path: Path, asked: list[int]
) -> None:
    one, other = (videos.write_video(tmp_path / f"{name}.mp4", 60, fps=FPS) for name in "ab")
    single = Clip(path=other, label=0, actor="b", take="b")
    clips = [*utterances(one, 20), *utterances(other, 3), single]
    found = looked(clips, tmp_path / "cache")
    assert sorted(asked) == [1, 3, 4, 16]
    assert found.broken == []
    source = found.source(RECIPE)
    for clip in clips:
        alone = RECIPE.pictures(clip.path, clip.span_seconds, clip.half)
        assert np.array_equal(source(clip), alone.frames)
        assert found.entries[part(clip)].video_frames == alone.video_frames


def test_what_is_wrong_with_one_utterance_is_not_wrong_with_the_others(
    tmp_path: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=FPS)
    good = utterances(path, 5, last=1.0)
    late = Clip(path=path, label=0, actor="a", take="a_99", span_seconds=(60.0, 61.0))
    found = looked([*good, late], tmp_path / "cache")
    assert sorted(asked) == [1] * 6 + [6]
    assert [(each.part, each.reason) for each in found.broken] == [
        (part(late), "no frame starts between 60 s and 61 s")
    ]
    damaged = videos.flip_bits(videos.write_video(tmp_path / "b.mp4", 60, fps=FPS), 20)
    clips = utterances(damaged, 8)
    together = looked(clips, tmp_path / "together").entries
    monkeypatch.setattr("emorec.data.cache.one_pass.MOST_TOGETHER", 1)
    alone = looked(clips, tmp_path / "alone").entries
    # how many errors a decoder tells of depends on how far it decodes ahead

    def verdicts(entries: Mapping[Any, Any]) -> dict[Any, Any]:
        return {at: (e.error and e.error.split(":")[0], e.checksum) for at, e in entries.items()}

    assert verdicts(together) == verdicts(alone)
    assert "damaged" in {verdict for verdict, _ in verdicts(together).values()}
