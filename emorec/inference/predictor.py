"""Predictor: a trained network applied to any video."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from emorec.errors import UserError
from emorec.inference.frame_buffer import window_from_frames
from emorec.inference.options import Options
from emorec.inference.runtimes import (
    ExportedRuntime,
    Inputs,
    OnnxRuntime,
    Outputs,
    Runtime,
    check_finite,
)
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import NO_FACE, UNCERTAIN, Gap, Prediction, Timeline, Window
from emorec.inference.video import Camera, Stopwatch, Video, open_file
from emorec.inference.windows import windows_of

if TYPE_CHECKING:
    from emorec.data.faces import FaceDetector

MAX_WAITING_BATCHES = 4
"""A batch is predicted, full or not, once this many batches of windows without a face and gaps wait with it."""


class Predictor:
    """Predicts videos and frames with a trained network; not thread-safe.

    Args:
        runtime: Runs the network; see `emorec.load`.
        options: Defaults of `predict`.
    """

    def __init__(self, runtime: Runtime, options: Options | None = None) -> None:
        self.runtime = runtime
        self.options = options or Options()
        self._detectors: dict[Options, FaceDetector | None] = {}

    @property
    def spec(self) -> ModelSpec:
        """Specification of the network."""
        return self.runtime.spec

    @overload
    def predict(self, video: str | PathLike[str], **options: Any) -> Timeline: ...
    @overload
    def predict(self, video: npt.NDArray[np.uint8], **options: Any) -> Prediction: ...

    def predict(
        self, video: str | PathLike[str] | npt.NDArray[np.uint8], **options: Any
    ) -> Timeline | Prediction:
        """Predict the windows of a video, or some frames.

        Args:
            video: Path of a video, or of a sound file for a network that only hears; or any number of frames
                (T, H, W, 3) uint8, RGB, which are one window, sampled as the frames of a clip in training.
            options: Override the defaults; see `Options`.

        Raises:
            UserError: When the file can't be read, the frames have the wrong shape or type, or the network does not
                take frames.
        """
        chosen = replace(self.options, **options)
        if isinstance(video, np.ndarray):
            check_frames(video, self.spec)
            spec = replace(self.spec, face=chosen.face_mode(self.spec))
            window = window_from_frames(video, spec, self.detector(chosen))
            return self._predict_batch([window], chosen)[0]
        file = open_file(Path(video).expanduser(), self.spec)
        return self.timeline(file, self.stream(file, chosen), chosen)

    def stream(
        self,
        video: Video,
        options: Options | None = None,
        stopwatch: Stopwatch | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[Window | Gap]:
        """Yield the predicted windows of a video as soon as they are known, in constant memory.

        Args:
            video: As `open_file` opens it for the network, or a `Camera`.
            options: By default those of the predictor.
            stopwatch: Measures the stages.
            progress: Called with the start of each window, in seconds, when its frames are decoded.

        Raises:
            UserError: When the network does not take such a video.
        """
        options = options or self.options
        stopwatch = stopwatch or Stopwatch()
        batch_size = 1 if video.live else options.batch_size
        waiting: list[Window | Gap] = []
        num_inputs = 0
        for piece in windows_of(video, self.spec, options, self.detector(options), stopwatch):
            if progress:
                progress(piece.start)
            waiting.append(piece)
            num_inputs += _has_input(piece)
            full = num_inputs in (0, batch_size)
            if full or len(waiting) >= MAX_WAITING_BATCHES * batch_size:
                yield from self._predict_pieces(waiting, options, stopwatch)
                waiting, num_inputs = [], 0
        yield from self._predict_pieces(waiting, options, stopwatch)

    def timeline(
        self, video: Video, pieces: Iterable[Window | Gap], options: Options | None = None
    ) -> Timeline:
        """Collect the result of `stream`.

        Args:
            video: The video.
            pieces: Its windows and gaps.
            options: Those of `stream`.
        """
        pieces = tuple(pieces)
        window_seconds, hop_seconds = (options or self.options).window_and_hop(self.spec)
        return Timeline(
            path=video.path,
            task=self.spec.task,
            names=self.spec.names,
            windows=tuple(each for each in pieces if isinstance(each, Window)),
            gaps=tuple(each for each in pieces if isinstance(each, Gap)),
            seconds=max((each.end for each in pieces), default=0.0)
            if isinstance(video, Camera)
            else video.seconds,
            window_seconds=window_seconds,
            hop_seconds=hop_seconds,
        )

    def detector(self, options: Options | None = None) -> "FaceDetector | None":
        """Return the face detector, opened once; `None` where whole frames are used.

        Raises:
            UserError: When it is not available.
        """
        options = options or self.options
        if options not in self._detectors:
            self._detectors[options] = options.open_detector(self.spec)
        return self._detectors[options]

    def _predict_pieces(
        self, pieces: Sequence[Window | Gap], options: Options, stopwatch: Stopwatch
    ) -> Iterator[Window | Gap]:
        with stopwatch.measure("network"):
            windows = [piece for piece in pieces if isinstance(piece, Window)]
            predicted = iter(self._predict_batch(windows, options))
        for piece in pieces:
            yield piece if isinstance(piece, Gap) else next(predicted)

    def _predict_batch(self, windows: Sequence[Window], options: Options) -> list[Window]:
        """Return the windows with their predictions, without frames and sound.

        Raises:
            UserError: When an output is not finite.
        """
        batch = [window for window in windows if _has_input(window)]
        outputs: Iterator[Outputs] = iter(())
        if batch:
            predicted = self.runtime(stack_inputs(batch, self.spec))
            check_finite(predicted, self.spec)
            outputs = iter(predicted)
        return [
            with_prediction(
                window,
                self.spec,
                next(outputs) if _has_input(window) else None,
                options.abstain_below,
            )
            for window in windows
        ]


def load_runtime(path: Path, device: str | None = None) -> Runtime:
    """Load a trained network with the runtime for its file.

    Args:
        path: A checkpoint, an ONNX file (.onnx) or a program of torch.export (.pt2).
        device: Such as "cuda" or "cpu"; by default the fastest available.

    Raises:
        UserError: When the file is missing or invalid, or its runtime is not installed.
    """
    if path.suffix.lower() == ".onnx":
        return OnnxRuntime(path, device)
    if path.suffix.lower() == ".pt2":
        return ExportedRuntime(path, device)
    from emorec.inference.torch_runtime import TorchRuntime

    return TorchRuntime(path, device)


def load(
    path: str | PathLike[str], device: str | None = None, options: Options | None = None
) -> Predictor:
    """Load a trained network as a predictor.

    Args:
        path: An emorec checkpoint (run by torch), or what `emorec export` made of it: `.onnx` (run by ONNX Runtime,
            without torch) or `.pt2` (run by torch, without Lightning).
        device: Such as "cuda" or "cpu"; by default the fastest available.
        options: Defaults of `Predictor.predict`.

    Raises:
        UserError: When the file is missing or invalid, or its runtime is not installed.
    """
    return Predictor(load_runtime(Path(path).expanduser(), device), options)


def with_prediction(
    window: Window, spec: ModelSpec, output: Outputs | None, abstain_below: float = 0.0
) -> Window:
    """Return a window with its prediction, without the network's inputs.

    Args:
        window: The window.
        spec: Of the network.
        output: (K,) probabilities or (R,) numbers; `None` without a face.
        abstain_below: Lowest confidence that names a class.
    """
    window = replace(window, frames=None, face=None, sound=None, names=spec.names)
    if output is None:
        return replace(window, predicted=NO_FACE)
    values = tuple(output.tolist())
    if spec.task == "numbers":
        return replace(window, values=values)
    best = int(output.argmax())
    predicted = spec.names[best] if values[best] >= abstain_below else UNCERTAIN
    return replace(window, values=values, predicted=predicted, confidence=values[best])


def stack_inputs(windows: Sequence[Window], spec: ModelSpec) -> Inputs:
    """Stack the inputs of B windows.

    Raises:
        ValueError: When a window lacks an input of the network.
    """
    inputs: dict[str, npt.NDArray[Any]] = {}
    if spec.uses_frames:
        frames = [window.frames for window in windows if window.frames is not None]
        inputs["frames"] = np.stack(frames)  # (B, T, H, W, 3)
    if spec.uses_landmarks:
        faces = np.stack([window.face for window in windows if window.face is not None])  # (B, T)
        inputs["landmarks"] = np.ascontiguousarray(faces["landmarks"])  # (B, T, 478, 3)
        inputs["blendshapes"] = np.ascontiguousarray(faces["blendshapes"])  # (B, T, 52)
        inputs["face_present"] = np.ascontiguousarray(faces["present"])  # (B, T)
    if spec.uses_sound:
        sound = [window.sound for window in windows if window.sound is not None]
        inputs["sound"] = np.stack(sound)  # (B, samples)
    if "embedding" in spec.inputs:
        inputs["embedding"] = _embeddings(windows, spec)  # (B, S, D)
    if "heard" in spec.inputs:
        inputs["heard"] = np.array([window.has_sound for window in windows])  # (B,)
    if any(len(each) != len(windows) for each in inputs.values()):
        raise ValueError(f"some of {len(windows)} windows lack frames, landmarks or sound")
    return {name: inputs[name] for name in spec.inputs}


def _embeddings(windows: Sequence[Window], spec: ModelSpec) -> npt.NDArray[np.float32]:
    """Embed the sound of B windows, (B, S, D); zeros where there is none, as in training."""
    from emorec.data.audio_embedding import embed

    assert spec.embedding is not None
    network, shape = spec.embedding.network, spec.embedding.shape
    return np.stack(
        [
            embed(window.sound, network)
            if window.sound is not None and window.has_sound
            else np.zeros(shape, np.float32)
            for window in windows
        ]
    )


def check_frames(frames: npt.NDArray[np.uint8], spec: ModelSpec) -> None:
    """Refuse frames that the network can't take.

    Raises:
        UserError: When they have the wrong type or shape, or it takes no frames.
    """
    if not spec.uses_video:
        raise UserError(f"{spec.network} takes only sound: pass the path of a file with sound")
    if frames.dtype != np.uint8:
        raise UserError(f"frames are {frames.dtype}: pass uint8, 0 to 255, RGB")
    if frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        raise UserError(f"frames have the shape {frames.shape}: pass (T, H, W, 3), RGB")


def _has_input(piece: Window | Gap) -> bool:
    """Whether the network has to run for a piece."""
    return isinstance(piece, Window) and piece.person is not None
