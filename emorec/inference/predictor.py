"""Predictor: a trained network applied to any video."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt

from emorec import hub
from emorec.errors import UserError
from emorec.inference.frame_buffer import window_from_frames
from emorec.inference.options import Options
from emorec.inference.runtimes import (
    ExportedRuntime,
    Inputs,
    OnnxRuntime,
    Outputs,
    Runtime,
    TwoStepRuntime,
    check_finite,
)
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import (
    NO_FACE,
    UNCERTAIN,
    Gap,
    Prediction,
    Timeline,
    Window,
    WindowFeatures,
)
from emorec.inference.video import Camera, Stopwatch, Video, open_file
from emorec.inference.windows import windows_of
from emorec.pretrained import (
    ABSTAIN_BELOW,
    ADAPTED,
    DEFAULT,
    FAMILIARITY,
    FAMILIARITY_SUFFIX,
    is_built_in,
    weights_file,
)
from emorec.text import first_few

if TYPE_CHECKING:
    from emorec.data.faces import FaceDetector
    from emorec.inference.adaptation import FeatureNetwork, RunningMoments
    from emorec.inference.familiarity import Familiarity

Classify: TypeAlias = Callable[[Sequence[Window]], Outputs]
"""Windows of persons -> (B, K) probabilities or (B, R) numbers."""


MAX_WAITING_BATCHES = 4
"""A batch is predicted, full or not, once this many batches of windows without a face and gaps wait with it."""


@dataclass(eq=False, slots=True)
class Playing:
    """A video that is being predicted.

    Attributes:
        video: As `open_file` opens it for the network, or a `Camera`.
        stopwatch: Measures the stages.
        progress: Called with the start of each window, in seconds, when its frames are decoded.
    """

    video: Video
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    progress: Callable[[float], None] | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The end of a video among several.

    Attributes:
        error: Why it can't be read, or not any further.
    """

    error: UserError | None = None


Item: TypeAlias = Playing | Window | Gap | End
"""What `Predictor.stream_in_turn` yields."""

ItemT = TypeVar("ItemT", bound=Item)


class Predictor:
    """Predicts videos and frames with a trained network; not thread-safe.

    Args:
        runtime: Runs the network; see `emorec.load`.
        options: Defaults of `predict`.
        familiarity: Statistics of the training clips; `None` where they are not known.
    """

    def __init__(
        self,
        runtime: Runtime,
        options: Options | None = None,
        familiarity: "Familiarity | None" = None,
    ) -> None:
        self.runtime = runtime
        self.options = options or Options()
        self.familiarity = familiarity
        self._detectors: dict[Options, FaceDetector | None] = {}
        self._feature_network: FeatureNetwork | None = None
        self._enrolled: dict[Options, list[RunningMoments]] = {}

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
            adaptation = chosen.adaptation(self.spec)
            if adaptation in ("video", "running"):
                raise UserError(
                    "frames are one window, too short to adapt to a person: pass the path of a video, or enrol others"
                )
            window = window_from_frames(video, spec, self.detector(chosen))
            if _has_input(window):
                window = self._with_familiarity(window, Stopwatch())
            classify = self._classify if adaptation == "none" else self._classify_enrolled(chosen)
            return next(self._predict_windows([window], classify, chosen))
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

        Adapted by the whole video they are known at its end, and features stay in memory until then.

        Args:
            video: As `open_file` opens it for the network, or a `Camera`.
            options: By default those of the predictor.
            stopwatch: Measures the stages.
            progress: Called with the start of each window, in seconds, when its frames are decoded.

        Raises:
            UserError: When the network does not take such a video, or can't be adapted as the options say.
        """
        options = options or self.options
        playing = Playing(video, stopwatch or Stopwatch(), progress)
        adaptation = options.adaptation(self.spec, live=video.live)
        pieces = self._read(playing, options)
        batches = _batches(pieces, 1 if video.live else options.batch_size)
        if adaptation == "video":
            yield from self._adapt_by_video(video, batches, options, playing.stopwatch)
            return
        if adaptation == "running":
            yield from self._adapt_by_past(video, batches, options, playing.stopwatch)
            return
        classify = self._classify if adaptation == "none" else self._classify_enrolled(options)
        yield from self._predict_batches(batches, classify, options, playing.stopwatch)

    def stream_in_turn(
        self, videos: Iterable[Callable[[], Playing]], options: Options | None = None
    ) -> Generator[Item]:
        """Yield several videos, each with its predicted windows, see `stream`, and its end.

        A network of frames predicts windows of several videos in one batch: the few of a short one would leave a GPU
        idle. Others need next to no time.

        Args:
            videos: Open each video. One that can't be read ends with an error.
            options: By default those of the predictor.

        Raises:
            UserError: When an output of the network is not finite.
        """
        options = options or self.options

        def read(stream: Callable[[Playing], Iterator[Window | Gap]]) -> Iterator[Item]:
            for open_video in videos:
                try:
                    playing = open_video()
                    yield playing
                    yield from stream(playing)
                except UserError as error:
                    yield End(error)
                else:
                    yield End()

        if not self.spec.uses_frames or options.adaptation(self.spec) in ("video", "running"):
            yield from read(
                lambda each: self.stream(each.video, options, each.stopwatch, each.progress)
            )
            return
        classify = self._classify_enrolled(options) if options.enrol else self._classify
        items = read(lambda playing: self._read(playing, options))
        batches = _batches(items, options.batch_size)
        yield from self._predict_batches(batches, classify, options, Stopwatch())

    def _read(self, playing: Playing, options: Options) -> Iterator[Window | Gap]:
        """Yield the windows of a video with the inputs of the network.

        Raises:
            UserError: When the network does not take such a video.
        """
        if options.blendshapes and not self.spec.uses_landmarks:
            raise UserError(f"blendshapes: {self.spec.network} takes no landmarks, leave it out")
        detector, stopwatch = self.detector(options), playing.stopwatch
        for piece in windows_of(playing.video, self.spec, options, detector, stopwatch):
            if playing.progress:
                playing.progress(piece.start)
            yield self._with_familiarity(piece, stopwatch) if _has_input(piece) else piece

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
            adapted_by=self.adapted_by(options, live=video.live),
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

    def adapted_by(self, options: Options | None = None, *, live: bool = False) -> str:
        """Return by what predictions are adapted, see `Timeline`; reads the enrolled videos.

        Args:
            options: By default those of the predictor.
            live: Whether the video is a camera.

        Raises:
            UserError: When an enrolled video can't be read or shows no person, or the network can't be adapted so.
        """
        options = options or self.options
        adaptation = options.adaptation(self.spec, live=live)
        if adaptation == "none":
            return ""
        self._open_feature_network()
        if adaptation == "enrolled":
            seconds = max(moments.seconds for moments in self._enrol(options))
            return f"{seconds:.0f} s of enrolled videos"
        return "the whole video" if adaptation == "video" else "the video so far"

    def _enrol(self, options: Options) -> "list[RunningMoments]":
        """Return the moments of the person in the enrolled videos, for each network; they are read once.

        Of a video that shows several people, it is the one whose face is largest and longest in view.

        Raises:
            UserError: When a video can't be read, or shows no person.
        """
        if options in self._enrolled:
            return self._enrolled[options]
        from emorec.inference.adaptation import PersonMoments

        network = self._open_feature_network()
        paths = [Path(path).expanduser() for path in options.enrol]
        total: list[RunningMoments] = []
        for path in paths:
            persons = PersonMoments()
            video = open_file(path, self.spec)
            pieces = windows_of(video, self.spec, options, self.detector(options))
            for batch in _batches(pieces, options.batch_size):
                for window in self._with_features(batch):
                    persons.add(window)
            if not persons.moments:
                raise UserError(f"{path}: no person found: enrol a video that shows the face")
            person = persons.main_person()
            for one, other in zip(total, person, strict=False):
                one.merge(other)
            total = total or person
        name = first_few([path.name for path in paths], limit=1)
        network.warn_if_short(name, {1: total}, enrolled=True)
        self._enrolled[options] = total
        return total

    def _open_feature_network(self) -> "FeatureNetwork":
        """Return the network in two steps, opened once.

        Raises:
            UserError: When it can't be adapted.
        """
        if self._feature_network is None:
            from emorec.inference.adaptation import FeatureNetwork

            self._feature_network = FeatureNetwork(cast("TwoStepRuntime", self.runtime))
        return self._feature_network

    def _adapt_by_video(
        self,
        video: Video,
        batches: Iterable[list[Window | Gap]],
        options: Options,
        stopwatch: Stopwatch,
    ) -> Iterator[Window | Gap]:
        """Yield the predicted windows, each adapted by all windows of its person.

        Features are kept until the video ends. Ctrl-C ends it early.
        """
        from emorec.inference.adaptation import PersonMoments

        network, persons = self._open_feature_network(), PersonMoments()
        kept: list[Window | Gap] = []
        interrupted = False
        try:
            for batch in batches:
                with stopwatch.measure("network"):
                    windows = iter(self._with_features(batch, options))
                    kept += [next(windows) if _has_input(piece) else piece for piece in batch]
        except KeyboardInterrupt:
            interrupted = True
        for piece in kept:
            if _has_input(piece):
                persons.add(piece)
        network.warn_if_short(_name(video), persons.moments)

        def classify(windows: Sequence[Window]) -> Outputs:
            means = [persons.means(window) for window in windows]
            return network.classify(_features_of(windows), means)

        batches = _batches(kept, options.batch_size)
        yield from self._predict_batches(batches, classify, options, stopwatch)
        if interrupted:
            raise KeyboardInterrupt

    def _adapt_by_past(
        self,
        video: Video,
        batches: Iterable[list[Window | Gap]],
        options: Options,
        stopwatch: Stopwatch,
    ) -> Iterator[Window | Gap]:
        """Yield the predicted windows, each adapted by the windows of its person up to and including itself."""
        from emorec.inference.adaptation import PersonMoments

        network, persons = self._open_feature_network(), PersonMoments()

        def classify(windows: Sequence[Window]) -> Outputs:
            windows, means = self._with_features(windows, options), []
            for window in windows:
                persons.add(window)
                means.append(persons.means(window))
            return network.classify(_features_of(windows), means)

        yield from self._predict_batches(batches, classify, options, stopwatch)
        network.warn_if_short(_name(video), persons.moments)

    def _classify_enrolled(self, options: Options) -> "Classify":
        """Return a function that classifies windows adapted by the enrolled videos."""
        network = self._open_feature_network()
        means = [moments.mean() for moments in self._enrol(options)]
        return lambda windows: network.classify(
            _features_of(self._with_features(windows, options)), [means] * len(windows)
        )

    def _classify(self, windows: Sequence[Window]) -> Outputs:
        """Windows of persons -> (B, K) probabilities or (B, R) numbers, adapted by nothing."""
        return self.runtime(stack_inputs(windows, self.spec))

    def _with_familiarity(self, window: Window, stopwatch: Stopwatch) -> Window:
        """Return a window of a person with its unfamiliar streams."""
        if self.familiarity is None:
            return window
        with stopwatch.measure("network"):
            unfamiliar = self.familiarity.unfamiliar(window.face, window.embedding)
        return replace(window, unfamiliar=unfamiliar)

    def _with_features(
        self, pieces: Iterable[Window | Gap], options: Options | None = None
    ) -> list[Window]:
        """Return the windows of persons among pieces of a video, with features in place of frames and sound."""
        network = self._open_feature_network()
        keep_face = options is not None and options.blendshapes
        windows = [piece for piece in pieces if _has_input(piece)]
        features = network.features(stack_inputs(windows, network.spec)) if windows else []
        return [
            replace(without_inputs(window, keep_face=keep_face), features=each)
            for window, each in zip(windows, features, strict=True)
        ]

    def _predict_batches(
        self,
        batches: Iterable[list[ItemT]],
        classify: Classify,
        options: Options,
        stopwatch: Stopwatch,
    ) -> Iterator[ItemT | Window]:
        """Yield the items with predicted windows; `stopwatch` measures the network until a video brings its own."""
        for items in batches:
            windows = [item for item in items if isinstance(item, Window)]
            predicted = self._predict_windows(windows, classify, options)
            for item in items:
                if isinstance(item, Playing):
                    stopwatch = item.stopwatch
                if not isinstance(item, Window):
                    yield item
                    continue
                with stopwatch.measure("network"):  # a batch is that of its first video
                    window = next(predicted)
                yield window

    def _predict_windows(
        self, windows: Sequence[Window], classify: Classify, options: Options
    ) -> Iterator[Window]:
        """Yield the windows with their predictions, without frames and sound.

        Raises:
            UserError: When an output is not finite.
        """
        batch = [window for window in windows if _has_input(window)]
        outputs: Iterator[Outputs] = iter(classify(batch) if batch else ())
        for window in windows:
            output = next(outputs) if _has_input(window) else None
            if output is not None:
                check_finite(output, self.spec)
            yield with_prediction(
                window,
                self.spec,
                output,
                options.lowest_confidence(self.spec),
                keep_face=options.blendshapes,
            )


def _batches(items: Iterable[ItemT], batch_size: int) -> Iterator[list[ItemT]]:
    """Yield items in groups of up to `batch_size` windows of persons; others wait briefly, those of cameras never.

    Args:
        items: Of one or several videos.
        batch_size: Windows in a forward pass.
    """
    waiting: list[ItemT] = []
    num_inputs = 0
    is_live = False
    for item in items:
        waiting.append(item)
        num_inputs += _has_input(item)
        is_live = item.video.live if isinstance(item, Playing) else is_live
        full = is_live or num_inputs in (0, batch_size)
        if full or len(waiting) >= MAX_WAITING_BATCHES * batch_size:
            yield waiting
            waiting, num_inputs = [], 0
    if waiting:
        yield waiting


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
    path: str | PathLike[str] | None = None,
    device: str | None = None,
    options: Options | None = None,
) -> Predictor:
    """Load a trained network as a predictor.

    Args:
        path: An emorec checkpoint (run by torch), or what `emorec export` made of it: `.onnx` (run by ONNX Runtime,
            without torch) or `.pt2` (run by torch, without Lightning); the name of a built-in network; or the address
            of one on the Hugging Face Hub, such as "hf://USER/NAME". By default the built-in one for the options.
        device: Such as "cuda" or "cpu"; by default the fastest available.
        options: Defaults of `Predictor.predict`.

    Raises:
        UserError: When the file is missing or invalid, its runtime is not installed, or a network can't be fetched.
    """
    adapts = options is not None and options.adapts
    file = Path(path or (ADAPTED if adapts else DEFAULT)).expanduser()
    if address := hub.parse_address(file):
        file = hub.fetch(address)
    built_in = is_built_in(file)
    if str(file) == DEFAULT and built_in and not adapts:
        file = weights_file(f"{DEFAULT}.onnx")  # the same network, which starts without torch
    runtime = load_runtime(file, device)
    if built_in:
        runtime.spec = replace(runtime.spec, abstain_below=ABSTAIN_BELOW)
    return Predictor(runtime, options, read_familiarity(file))


def read_familiarity(path: Path) -> "Familiarity | None":
    """Return the statistics of the training clips that come with a network; `None` where there are none.

    Args:
        path: A checkpoint, an exported file, or the name of a built-in network.

    Raises:
        UserError: When their file is damaged.
    """
    file = weights_file(FAMILIARITY) if is_built_in(path) else path.with_suffix(FAMILIARITY_SUFFIX)
    if not file.is_file():
        return None
    from emorec.inference.familiarity import Familiarity  # late: most networks have none

    return Familiarity.read(file)


def with_prediction(
    window: Window,
    spec: ModelSpec,
    output: Outputs | None,
    abstain_below: float = 0.0,
    *,
    keep_face: bool = False,
) -> Window:
    """Return a window with its prediction, without the network's inputs.

    Args:
        window: The window.
        spec: Of the network.
        output: (K,) probabilities or (R,) numbers; `None` without a face.
        abstain_below: Lowest confidence that names a class.
        keep_face: See `without_inputs`.
    """
    window = replace(without_inputs(window, keep_face=keep_face), features=None, names=spec.names)
    if output is None:
        return replace(window, predicted=NO_FACE)
    values = tuple(output.tolist())
    if spec.task == "numbers":
        return replace(window, values=values)
    best = int(output.argmax())
    predicted = spec.names[best] if values[best] >= abstain_below else UNCERTAIN
    return replace(window, values=values, predicted=predicted, confidence=values[best])


def without_inputs(window: Window, *, keep_face: bool) -> Window:
    """Return a window without what the network took of it.

    Args:
        window: The window.
        keep_face: Keep the landmarks.
    """
    face = window.face if keep_face else None
    return replace(window, frames=None, face=face, sound=None, embedding=None)


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
    if "sound" in spec.inputs:
        sound = [window.sound for window in windows if window.sound is not None]
        inputs["sound"] = np.stack(sound)  # (B, samples)
    if spec.embedding is not None:
        silence = np.zeros(spec.embedding.shape, np.float32)
        inputs["embedding"] = np.stack(  # (B, S, D)
            [silence if window.embedding is None else window.embedding for window in windows]
        )
    if "heard" in spec.inputs:
        inputs["heard"] = np.array([window.has_sound for window in windows])  # (B,)
    if any(len(each) != len(windows) for each in inputs.values()):
        raise ValueError(f"some of {len(windows)} windows lack frames, landmarks or sound")
    return {name: inputs[name] for name in spec.inputs}


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


def _features_of(windows: Sequence[Window]) -> list[WindowFeatures]:
    return [window.features for window in windows if window.features is not None]


def _name(video: Video) -> str:
    return f"camera {video.index}" if isinstance(video, Camera) else video.path.name


def _has_input(item: Item) -> TypeGuard[Window]:
    """Whether the network has to run for a piece of a video."""
    return isinstance(item, Window) and item.person is not None
