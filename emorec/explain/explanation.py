"""All that is found out of one clip: what the network said, where it looked, and which moments counted."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emorec.errors import UserError
from emorec.explain.heat import Asked, Map, Method, frame_heat, sound_heat, spectrogram_of
from emorec.explain.moments import Importance, frame_importance, sound_importance
from emorec.explain.score import Score
from emorec.inference.spec import ModelSpec
from emorec.models import ClipNetwork


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What a network says of a clip.

    Attributes:
        name: Of the class or number that is explained.
        value: Its probability, calibrated where a temperature was fitted; or the number.
        predicted: The class of the highest probability; of numbers the one that is explained.
        confidence: Of that class.
        is_class: Whether classes are told, and not numbers.
    """

    name: str
    value: float
    predicted: str
    confidence: float
    is_class: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """Attributes: frames (T, H, W, 3) uint8, heat (T, H, W) from 0 to 1, importance (T,) unless T is 1, and how."""

    frames: npt.NDArray[np.uint8]
    heat: Map
    importance: Importance | None
    method: Method


@dataclass(frozen=True, eq=False, kw_only=True)
class Heard:
    """Attributes: spectrogram and heat (bins, windows), importance (M,) of moments, seconds of them all."""

    spectrogram: Map
    heat: Map
    importance: Importance
    seconds: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation:
    """Attributes: what was said, what of it was seen and what was heard; `None` where nothing was."""

    answer: Answer
    seen: Seen | None
    heard: Heard | None


def explain(
    network: ClipNetwork,
    facts: ModelSpec,
    given: Mapping[str, Tensor],
    *,
    about: str | None = None,
    method: Asked = "auto",
) -> Explanation:
    """Why a network says what it says of a clip.

    Args:
        network: In evaluation mode.
        facts: What there is to know of it.
        given: One clip, on the network's device.
        about: The class or number to explain; the predicted class, or the number furthest from 0, when not given.
        method: How the maps over frames are found, see `frame_heat`.

    Raises:
        UserError: When Grad-CAM is asked for and can't be had.
    """
    if method == "grad_cam" and "frames" not in given:
        raise UserError(
            f"{facts.network} only hears: Grad-CAM is for networks that see, choose --method occlusion"
        )
    answer, score = _answer(network, facts, given, about)
    seen = heard = None
    if "frames" in given:
        heat, how = frame_heat(score, given, method)
        one = facts.num_frames == 1
        seen = Seen(
            frames=given["frames"][0].permute(0, 2, 3, 1).cpu().numpy(),
            heat=heat,
            importance=None if one else frame_importance(score, given),
            method=how,
        )
    if "sound" in given and bool(given.get("heard", torch.tensor([True])).all()):
        with torch.no_grad():
            picture: Tensor = spectrogram_of(network)(given["sound"])[0, 0]  # (bins, windows)
        heard = Heard(
            spectrogram=picture.cpu().numpy(),
            heat=sound_heat(score, given),
            importance=sound_importance(score, given, facts.sound_seconds),
            seconds=facts.sound_seconds,
        )
    return Explanation(answer=answer, seen=seen, heard=heard)


def _answer(
    network: ClipNetwork, facts: ModelSpec, given: Mapping[str, Tensor], about: str | None
) -> tuple[Answer, Score]:
    with torch.no_grad():
        said = network(*given.values())[0].float().cpu()  # (K,) or (R,)
    is_class = facts.task == "classes"
    values = (said / (facts.temperature or 1.0)).softmax(dim=0) if is_class else said
    first = int(values.abs().argmax())
    position = first if about is None else facts.names.index(about)
    answer = Answer(
        name=facts.names[position],
        value=float(values[position]),
        predicted=facts.names[first if is_class else position],
        confidence=float(values[first if is_class else position]),
        is_class=is_class,
    )
    return answer, Score(network, position, -1 if not is_class and values[position] < 0 else 1)
