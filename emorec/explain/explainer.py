"""Explanations of what a trained network predicts of a clip."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emorec import checkpoint
from emorec.data.audio import NO_SOUND, AudioSpec, to_float
from emorec.data.augment import ClipTransform
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip, label_name, video_seconds
from emorec.data.datamodule import NO_FACE
from emorec.data.dataset import track_tensors
from emorec.data.landmarks import LandmarkSpec
from emorec.data.preprocessing import FrameSpec
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.video.reader import ClipError
from emorec.errors import UserError
from emorec.explain.face import Attribution, face_attribution, landmark_network
from emorec.explain.importance import Importance, frame_importance, sound_importance
from emorec.explain.saliency import (
    Method,
    MethodChoice,
    SaliencyMap,
    find_spectrogram,
    frame_saliency,
    spectrogram_saliency,
)
from emorec.explain.score import Score
from emorec.image_size import size_before_crop
from emorec.inference.options import Options
from emorec.inference.runtimes import check_finite, choose_device
from emorec.inference.spec import ModelSpec
from emorec.inference.torch_runtime import load_network
from emorec.inference.windows import window_times
from emorec.models import ClipNetwork
from emorec.text import did_you_mean

SINGLE_FRAME_SECONDS = 1.0
"""Span in which a network of single frames looks for its frame, however low the frame rate."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Prediction:
    """What a network predicts of a clip.

    Attributes:
        name: The class or number that is explained.
        value: Its probability, calibrated where a temperature was fitted; or the number.
        predicted: The class with the highest probability; of numbers the one that is explained.
        confidence: Probability of that class.
        is_class: Whether the network predicts classes, not numbers.
        is_uncertain: Whether the confidence is too low to name a class, see `ModelSpec.abstain_below`.
    """

    name: str
    value: float
    predicted: str
    confidence: float
    is_class: bool
    is_uncertain: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameExplanation:
    """Explanation over the frames of a clip.

    Attributes:
        frames: (T, H, W, 3) uint8.
        saliency: (T, H, W) from 0 to 1.
        importance: (T,); `None` when T is 1.
        method: How the saliency was computed.
    """

    frames: npt.NDArray[np.uint8]
    saliency: SaliencyMap
    importance: Importance | None
    method: Method


@dataclass(frozen=True, eq=False, kw_only=True)
class SoundExplanation:
    """Explanation over the sound of a clip.

    Attributes:
        spectrogram: (bins, windows).
        saliency: (bins, windows) from 0 to 1.
        importance: (M,) of spans of equal length.
        seconds: Duration of the sound.
    """

    spectrogram: SaliencyMap
    saliency: SaliencyMap
    importance: Importance
    seconds: float


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceExplanation:
    """Explanation over the landmarks and blendshapes of a clip.

    Attributes:
        attribution: (53, T), see `face_attribution`.
        blendshapes: (52, T) from 0 to 1.
    """

    attribution: Attribution
    blendshapes: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation:
    """A prediction and its explanation over frames, face and sound; `None` for an input that the network lacks.

    Attributes:
        embedding_importance: Drop of the score without the sound, where its embedding is an input beside others.
    """

    prediction: Prediction
    frames: FrameExplanation | None
    sound: SoundExplanation | None
    face: FaceExplanation | None = None
    embedding_importance: float | None = None


def explain(
    network: ClipNetwork,
    spec: ModelSpec,
    inputs: Mapping[str, Tensor],
    *,
    target: str | None = None,
    method: MethodChoice = "auto",
) -> Explanation:
    """Explain what a network predicts of a clip.

    Args:
        network: In evaluation mode.
        spec: Its specification.
        inputs: One clip by the names of the network's inputs, on its device.
        target: The class or number to explain; by default the predicted class, or the number furthest from 0.
        method: How saliency over frames is computed, see `frame_saliency`.

    Raises:
        UserError: When Grad-CAM is chosen and not possible, or an output of the network is not finite.
    """
    if method == "grad_cam" and "frames" not in inputs:
        raise UserError(
            f"{spec.network} takes no frames, and Grad-CAM is for networks that do: leave out --method"
        )
    face_network = landmark_network(network)
    if not {"frames", "sound"} & inputs.keys() and face_network is None:
        raise UserError(f"{spec.network} takes {' and '.join(inputs)}, which can't be shown")
    prediction, score = _predict(network, spec, inputs, target)
    frames = sound = None
    if "frames" in inputs:
        saliency, used = frame_saliency(score, inputs, method)
        frames = FrameExplanation(
            frames=inputs["frames"][0].permute(0, 2, 3, 1).cpu().numpy(),
            saliency=saliency,
            importance=None if spec.num_frames == 1 else frame_importance(score, inputs),
            method=used,
        )
    if "sound" in inputs and bool(inputs.get("heard", torch.tensor([True])).all()):
        with torch.no_grad():
            spectrogram: Tensor = find_spectrogram(network)(inputs["sound"])[
                0, 0
            ]  # (bins, windows)
        sound = SoundExplanation(
            spectrogram=spectrogram.cpu().numpy(),
            saliency=spectrogram_saliency(score, inputs),
            importance=sound_importance(score, inputs, spec.sound_seconds),
            seconds=spec.sound_seconds,
        )
    face = None
    if face_network is not None and bool(inputs.get("face_present", torch.tensor(True)).any()):
        face = FaceExplanation(
            attribution=face_attribution(score, face_network, inputs),
            blendshapes=inputs["blendshapes"][0].T.cpu().numpy(),
        )
    embedding_importance = None
    if "embedding" in inputs and bool(inputs.get("heard", torch.tensor(False)).all()):
        silent = {**inputs, "heard": torch.zeros_like(inputs["heard"])}
        embedding_importance = score.of(inputs) - score.of(silent)
    return Explanation(
        prediction=prediction,
        frames=frames,
        sound=sound,
        face=face,
        embedding_importance=embedding_importance,
    )


def _predict(
    network: ClipNetwork, spec: ModelSpec, inputs: Mapping[str, Tensor], target: str | None
) -> tuple[Prediction, Score]:
    with torch.no_grad():
        output = network(*inputs.values())[0].float().cpu()  # (K,) or (R,)
    check_finite(output.numpy(), spec)
    is_class = spec.task == "classes"
    values = (output / (spec.temperature or 1.0)).softmax(dim=0) if is_class else output
    first = int(values.abs().argmax())
    position = first if target is None else spec.names.index(target)
    predicted = first if is_class else position
    prediction = Prediction(
        name=spec.names[position],
        value=float(values[position]),
        predicted=spec.names[predicted],
        confidence=float(values[predicted]),
        is_class=is_class,
        is_uncertain=is_class and float(values[predicted]) < spec.abstain_below,
    )
    return prediction, Score(network, position, -1 if not is_class and values[position] < 0 else 1)


class InputReader:
    """Read the inputs of a network from clips, preprocessed as in training, without augmentation.

    Args:
        checkpoint: The network's checkpoint.
        spec: Its specification.

    Raises:
        UserError: When the face detector of the training is missing.
    """

    def __init__(self, checkpoint: checkpoint.Checkpoint, spec: ModelSpec) -> None:
        data = checkpoint.data["init_args"]
        self.inputs = spec.inputs
        frame_spec = FrameSpec(
            num_frames=spec.num_frames if spec.uses_frames else 0,
            size=size_before_crop(spec.image_size),
            resize=spec.resize,
            decoder=data.get("decoder", "decord"),
            face=spec.face,
            face_detector=data.get("face_detector", "auto"),
        )
        self._read_frames = ClipReader(frame_spec)
        self._transform = ClipTransform(spec.image_size)
        self._audio_spec: AudioSpec = spec.audio
        self._read_audio = ClipReader(self._audio_spec)
        self._read_landmarks = ClipReader(LandmarkSpec(num_frames=spec.num_frames))
        self._embedding_spec = spec.embedding

    def __call__(self, clip: Clip) -> dict[str, Tensor]:
        """Return the inputs of the network in its order, of a batch of one clip; see `emorec.data.clip.Batch`.

        Raises:
            ClipError: When the clip can't be decoded, has no sound and the network takes nothing else, or has no face
                and the network takes landmarks.
        """
        inputs: dict[str, Tensor] = {}
        if "frames" in self.inputs:
            frames = torch.from_numpy(self._transform(self._read_frames(clip)))  # (T, H, W, 3)
            inputs["frames"] = frames.permute(0, 3, 1, 2)[None]
        if "landmarks" in self.inputs:
            track = self._read_landmarks(clip)
            if not track["present"].any():
                raise ClipError.of(clip.path, NO_FACE)
            inputs |= {name: values[None] for name, values in track_tensors(track).items()}
        if "sound" in self.inputs or self._embedding_spec is not None:
            inputs["sound"], heard = self._sound(clip)
            inputs["heard"] = torch.tensor([heard])
        if self._embedding_spec is not None:
            embedding = self._embedding_spec.embed(inputs["sound"][0].numpy())
            inputs["embedding"] = torch.from_numpy(embedding)[None] * heard
        return {name: inputs[name] for name in self.inputs}

    def _sound(self, clip: Clip) -> tuple[Tensor, bool]:
        try:
            samples = self._read_audio(clip)
        except ClipError as error:
            if error.reason != NO_SOUND or not {"frames", "landmarks"} & {*self.inputs}:
                raise
            return torch.from_numpy(self._audio_spec.silence)[None], False
        return torch.from_numpy(to_float(samples))[None], True


class Explainer:
    """Explains the predictions of a checkpoint's network.

    Args:
        path: The checkpoint.
        target: The class or number to explain; by default what is predicted.
        method: How saliency is computed.
        device: Such as "cuda" or "cpu"; by default a GPU where there is one.

    Raises:
        UserError: When the checkpoint can't be used, or there is no such class or device.
    """

    def __init__(
        self, path: Path, target: str | None, method: MethodChoice, device: str | None
    ) -> None:
        self.checkpoint = checkpoint.read(path)
        network, self.spec = load_network(path)
        names = self.spec.names
        if target is not None and target not in names:
            raise UserError(
                f"--class is {target}, which is not an output of {path}{did_you_mean(target, names)}: "
                f"choose one of {', '.join(names)}"
            )
        self.target = target
        self.method: MethodChoice = method
        self.device = choose_device(device)
        self.network = network.to(self.device).requires_grad_(False)
        self.read_inputs = InputReader(self.checkpoint, self.spec)

    def __call__(self, clip: Clip) -> Explanation:
        """Explain what the network predicts of a clip.

        Raises:
            ClipError: When the clip can't be decoded, or has no sound and the network takes no frames.
            UserError: When Grad-CAM is chosen and not possible.
        """
        inputs = {name: value.to(self.device) for name, value in self.read_inputs(clip).items()}
        return explain(self.network, self.spec, inputs, target=self.target, method=self.method)

    def truth(self, clip: Clip) -> str | None:
        """Return the true class or numbers of a clip as text; `None` where unknown."""
        return None if clip.label == -1 else label_name(clip.label, self.spec.names)


def clip_from_file(path: Path, spec: ModelSpec, start: float | None = None) -> Clip:
    """Return a file, or a window of it, as a clip; its RAVDESS name gives the label if the network knows RAVDESS.

    Args:
        path: A video.
        spec: Of the network.
        start: Start of the window, in seconds; by default a file longer than one and a half windows (as `emorec
            predict` counts) is explained from its beginning.

    >>> label_from_name("01-01-03-01-01-01-07", ("calm", "happy")), label_from_name("holiday", ("calm", "happy"))
    (1, -1)
    """
    names = spec.names if spec.data == "emorec.data.RavdessDataModule" else ()
    label = label_from_name(path.stem, names)
    span = _window(path, spec, start)
    return Clip(path=path, label=label, actor="", take=path.stem, span_seconds=span)


def _window(path: Path, spec: ModelSpec, start: float | None) -> tuple[float, float] | None:
    """Return start and end in seconds; `None` for the whole file."""
    window, _ = Options().window_and_hop(spec)
    if start is None:
        seconds = video_seconds(path)
        if seconds is None:
            return None
        start, end = next(window_times(0.0, seconds, window_seconds=window, hop_seconds=window))
        if end == seconds:
            return None
    return start, start + (window if spec.num_frames != 1 else SINGLE_FRAME_SECONDS)


def label_from_name(stem: str, names: tuple[str, ...]) -> int:
    """Return the position of the emotion in a RAVDESS file name; -1 for another name or another emotion."""
    try:
        emotion = RavdessName.parse(stem).emotion
    except ValueError:
        return -1
    return names.index(emotion) if emotion in names else -1
