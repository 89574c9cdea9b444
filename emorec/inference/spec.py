"""Model specification: what a trained network takes and predicts, and the arrays that go in and out."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self

from emorec.errors import UserError
from emorec.image_size import Size, format_size, parse_image_size, size_before_crop

if TYPE_CHECKING:  # the command line needs the literals alone
    from emorec.data.audio import AudioSpec
    from emorec.data.audio_embedding import EmbeddingSpec
    from emorec.data.preprocessing import FaceMode, Resize

SPEC_FORMAT = 3
"""Version of the stored specification; a higher one was written by a newer emorec."""

METADATA_KEY = "emorec"
"""Metadata key of the specification in an exported file; the other keys are for readers."""

TaskKind = Literal["classes", "numbers"]
Precision = Literal["float32", "float16"]
ExportFormat = Literal["onnx", "torch_export"]

SUFFIXES: dict[ExportFormat, str] = {"onnx": ".onnx", "torch_export": ".pt2"}

TOLERANCES: dict[Precision, float] = {"float32": 1e-3, "float16": 2e-2}
"""Largest difference of an exported probability (or number) from the checkpoint's at float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSpec:
    """Features that an exported network takes adapted to a person.

    Attributes:
        name: Of their network in a fusion, else of the stream.
        stream: What they describe: "landmarks" or "sound".
        shape: T and D.
    """

    name: str
    stream: str
    shape: tuple[int, int]

    @property
    def output(self) -> str:
        """Name of the output: the features of windows."""
        return f"{self.name}_features"

    @property
    def adapted(self) -> str:
        """Name of the input: the features adapted."""
        return f"{self.name}_adapted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """Specification of a trained network.

    Attributes:
        network: Import path of its class.
        task: Whether it predicts one of K classes or R numbers.
        names: The classes in label order, or the numbers.
        inputs: Its inputs in order, of "frames", "landmarks", "blendshapes", "face_present" (in which frames a face was
            found), "sound", "embedding" (of the sound) and "heard" (whether a window has sound).
        num_frames: T, evenly spaced over a window; 0 for audio networks.
        image_size: Height and width of the frames, in pixels.
        resize: How frames of another aspect ratio were resized in training.
        face: Whether it was trained on cropped or aligned faces; "none" on whole frames.
        sound_rate: Audio samples per second.
        sound_seconds: Length of the audio input, taken from the middle of a window.
        sound_embedding: The network whose embedding of the audio is the input; "none" for the audio itself.
        embedding_layer: Of that network, where it is a speech model; `None` is the middle.
        adapt: "person" for a network whose features have to be adapted to each person.
        window_seconds: Length of its training clips.
        temperature: Divisor of its logits, where one was fitted.
        checkpoint_sha256: Digest of the checkpoint.
        emorec_version: Version that read or exported the checkpoint.
        data: Import path of the data module it was trained on.
        split: The split it was trained with (see `ClipDataModule.split_record`).
        licence: Terms of the training data that bind users of the network.
        abstain_below: Lowest confidence that names a class where `Options.abstain_below` sets none.
        features: What an exported network takes adapted to a person, for each network of a fusion; else empty.
    """

    network: str
    task: TaskKind
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    num_frames: int
    image_size: Size
    resize: "Resize"
    face: "FaceMode"
    sound_rate: int
    sound_seconds: float
    window_seconds: float
    temperature: float | None
    checkpoint_sha256: str
    emorec_version: str
    data: str
    split: dict[str, Any]
    licence: str
    sound_embedding: str = "none"
    embedding_layer: int | None = None
    adapt: Literal["none", "person"] = "none"
    abstain_below: float = 0.0
    features: tuple[FeatureSpec, ...] = ()

    @property
    def graph_inputs(self) -> tuple[str, ...]:
        """Inputs of an exported file in order."""
        return (*self.inputs, *(each.adapted for each in self.features))

    @property
    def graph_outputs(self) -> tuple[str, ...]:
        """Outputs of an exported file in order; the prediction comes last."""
        prediction = "probabilities" if self.task == "classes" else "numbers"
        return (*(each.output for each in self.features), prediction)

    @property
    def uses_frames(self) -> bool:
        """Whether frames are among its inputs."""
        return "frames" in self.inputs

    @property
    def uses_landmarks(self) -> bool:
        """Whether landmarks are among its inputs."""
        return "landmarks" in self.inputs

    @property
    def uses_video(self) -> bool:
        """Whether it needs pictures."""
        return self.uses_frames or self.uses_landmarks

    @property
    def can_do_without_pictures(self) -> bool:
        """Whether it predicts sound alone: of landmarks and sound it takes whichever is there."""
        return self.uses_sound and not self.uses_frames and "face_present" in self.inputs

    @property
    def uses_sound(self) -> bool:
        """Whether it needs audio."""
        return "sound" in self.inputs or "embedding" in self.inputs

    @property
    def sound_samples(self) -> int:
        """Audio samples in a window."""
        return round(self.sound_rate * self.sound_seconds)

    @property
    def audio(self) -> "AudioSpec":
        """Audio preprocessing."""
        from emorec.data.audio import AudioSpec

        return AudioSpec(sound_rate=self.sound_rate, sound_seconds=self.sound_seconds)

    @property
    def embedding(self) -> "EmbeddingSpec | None":
        """Preprocessing of the embedding of audio; `None` for networks that take none."""
        if self.sound_embedding == "none":
            return None
        from emorec.data.audio_embedding import EmbeddingSpec

        return EmbeddingSpec(
            network=self.sound_embedding,
            sound_seconds=self.sound_seconds,
            layer=self.embedding_layer,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as files store it, where the task is called "says"."""
        return {"says" if key == "task" else key: value for key, value in asdict(self).items()}

    def to_json(self) -> str:
        """Return the specification as one line of JSON."""
        return json.dumps({"format": SPEC_FORMAT, **self.to_dict()}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse what `to_json` wrote; before format 2 the image size was one number, before 3 `face` was true or false.

        Raises:
            UserError: When it is invalid or was written by a newer emorec.
        """
        try:
            stored = dict(json.loads(text))
            if stored["format"] > SPEC_FORMAT:
                raise UserError(
                    f"exported by emorec {stored.get('emorec_version')}: this emorec is too old, update it"
                )
            stored["task"] = stored["says"]
            stored.setdefault("sound_embedding", "none")  # of files before landmarks
            stored.setdefault("embedding_layer", None)  # of files before speech models
            stored.setdefault("adapt", "none")  # of files before adaptation
            stored.setdefault("abstain_below", 0.0)
            stored.setdefault("features", ())
            values = {field.name: stored[field.name] for field in fields(cls)}
            values["image_size"] = parse_image_size(values["image_size"])
            values["features"] = tuple(
                FeatureSpec(**{**each, "shape": tuple(each["shape"])})
                for each in values["features"]
            )
            if isinstance(values["face"], bool):
                values["face"] = "crop" if values["face"] else "none"
            return cls(
                **{**values, "names": tuple(values["names"]), "inputs": tuple(values["inputs"])}
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"invalid emorec model metadata: {error!r}; export it again") from None


def export_metadata(
    spec: ModelSpec, precision: Precision, statistics: Sequence[Sequence[float]]
) -> dict[str, str]:
    """Return the metadata of an exported file, key -> text, for emorec and for other programs.

    Args:
        spec: The model's specification.
        precision: Of its weights.
        statistics: Mean and standard deviation of red, green and blue that normalize pixels, 0 to 1.
    """
    return {
        METADATA_KEY: spec.to_json(),
        "network": spec.network,
        "class_names" if spec.task == "classes" else "number_names": ",".join(spec.names),
        **{f"input_{name}": text for name, text in describe_inputs(spec).items()},
        **{f"output_{name}": text for name, text in describe_outputs(spec).items()},
        **({"normalization": describe_normalization(statistics)} if spec.uses_frames else {}),
        "precision": f"weights {precision}, output float32",
        "split_hash": str(spec.split.get("hash", "unknown")),
        "checkpoint_sha256": spec.checkpoint_sha256,
        "licence": spec.licence,
    }


def describe_normalization(statistics: Sequence[Sequence[float]]) -> str:
    """Describe how pixels are normalized.

    >>> describe_normalization([[0.5, 0.5, 0.5], [0.2, 0.2, 0.2]])
    'inside the network: (pixel / 255 - mean) / std with mean 0.5, 0.5, 0.5 and std 0.2, 0.2, 0.2'
    """
    mean, std = (", ".join(f"{value:g}" for value in values) for values in statistics)
    return f"inside the network: (pixel / 255 - mean) / std with mean {mean} and std {std}"


def describe_inputs(spec: ModelSpec) -> dict[str, str]:
    """Describe each input: type, shape, units and preprocessing."""
    size, seconds = format_size(spec.image_size), f"{spec.window_seconds:g} s"
    height, width = spec.image_size
    whole = {
        "shorter_side": "the central part of the picture, of these proportions",
        "squash": "all of the picture, squashed into these proportions",
    }[spec.resize]
    spacing = f", evenly spaced over about {seconds}, first and last included"
    region = {
        "none": whole,
        "crop": "what is around the face (emorec's margin), of these proportions",
        "align": "the face, turned, scaled and shifted alike in all frames so that, at the size named next, "
        f"{_describe_points(size_before_crop(spec.image_size))}",
    }[spec.face]
    texts = {
        "frames": (
            f"uint8 (batch, {spec.num_frames}, {height}, {width}, 3), RGB"
            f"{spacing if spec.num_frames > 1 else ''}, of each frame "
            f"{region}, scaled to {format_size(size_before_crop(spec.image_size))} pixels and "
            f"cropped to the central {size}; values 0 to 255 as decoded, normalization is inside the network"
        ),
        "sound": (
            f"float32 (batch, {spec.sound_samples}): one channel at {spec.sound_rate} "
            f"samples a second, from -1 to 1, the middle {spec.sound_seconds:g} s of the window; its spectrogram is "
            "inside the network"
        ),
        "landmarks": (
            f"float32 (batch, {spec.num_frames}, 478, 3): x, y and z of MediaPipe's Face Landmarker "
            "(face_landmarker.task of emorec.pretrained) in pixels of the upright frame"
            f"{spacing}; normalization is inside the network"
        ),
        "blendshapes": f"float32 (batch, {spec.num_frames}, 52), 0 to 1, of the same Face Landmarker",
        "face_present": (
            f"bool (batch, {spec.num_frames}): whether a face was found in each frame; where not, landmarks and "
            "blendshapes are those of the nearest frame with one"
        ),
        "embedding": (
            f"float32 (batch, windows, features): {spec.sound_embedding} of emorec.data.audio_embedding, of one "
            f"channel at {spec.sound_rate} samples a second, the middle {spec.sound_seconds:g} s of the window"
        ),
        "heard": "bool (batch,): whether the window has sound; where not, sound and embedding are zeros",
    }
    adapted = {
        each.adapted: f"float32 (batch, {', '.join(map(str, each.shape))}): in a second run, {each.output} of the "
        "first, centred and scaled by those of all windows of the person (see emorec.person_statistics); what belongs "
        "to the other run may be zeros"
        for each in spec.features
    }
    return {**{name: texts[name] for name in spec.inputs}, **adapted}


def _describe_points(size: Size) -> str:
    """Where the points of aligned faces lie in frames of a size."""
    from emorec.data.faces import canonical_points  # late: the command line needs no OpenCV

    right_eye, left_eye, nose, right_mouth, left_mouth = (
        f"({x:.1f}, {y:.1f})" for x, y in canonical_points(size)
    )
    return (
        f"the person's right eye lies near {right_eye}, the left eye near {left_eye}, the tip of the nose near "
        f"{nose}, the corners of the mouth near {right_mouth} and {left_mouth}, as (x, y) in pixels"
    )


def describe_outputs(spec: ModelSpec) -> dict[str, str]:
    """Describe each output: type, shape and meaning."""
    features = [
        f"float32 (batch, {', '.join(map(str, each.shape))}): features of the {each.stream}, which {each.adapted} "
        "takes centred and scaled"
        for each in spec.features
    ]
    prediction = f"float32 (batch, {len(spec.names)}): {', '.join(spec.names)}"
    if spec.task == "classes":
        calibrated = "calibrated" if spec.temperature else "not calibrated"
        prediction = f"float32 (batch, {len(spec.names)}): of {', '.join(spec.names)}; 1 in all, {calibrated}"
    return dict(zip(spec.graph_outputs, (*features, prediction), strict=True))
