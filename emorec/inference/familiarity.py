"""Which streams of a window lie outside of what training saw, by the Mahalanobis distance of a few statistics.

Three streams are compared with the training clips: "face", the mean shape of the landmarks; "motion", how much it
varies in the window; "sound", the mean embedding. A stream is unfamiliar when it is further from the mean than all but
a hundredth of the clips of people left out of its fit. NumPy alone: exported networks are judged without torch.

Source: Tipping & Bishop 1999, Probabilistic Principal Component Analysis, section 3.2 (the covariance); Cootes et al.
1995, Active Shape Models, section 4 (alignment); Lee et al. 2018, A Simple Unified Framework for Detecting
Out-of-Distribution Samples and Adversarial Attacks (the distance as a test).
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from emorec.errors import UserError
from emorec.io import atomic_write

if TYPE_CHECKING:  # arrays alone are needed
    from emorec.data.audio_embedding import Embedding
    from emorec.data.clip import Person
    from emorec.data.datamodule import ClipDataModule
    from emorec.data.landmarks import FaceTrack

NUM_COMPONENTS = {"face": 32, "motion": 0, "sound": 20}
"""Stream -> principal components with a variance of their own; the other directions share one."""

QUANTILE = 0.99
"""Of the distances of people left out, which is the threshold."""

NUM_FOLDS = 6
"""Groups of training people that are left out one after the other."""

MIN_MOTION = 1e-4
"""In distances of the eyes, added before the logarithm: a repeated frame does not move at all."""

MIN_VARIANCE = 1e-12

NO_STREAMS = (
    "no clip has landmarks or an embedding of its sound: networks of pixels or of the sound itself can't tell what is "
    "unfamiliar"
)

Vectors: TypeAlias = npt.NDArray[np.float64]
"""(N, D) of N clips."""


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """Normal distribution of a stream, its covariance that of probabilistic principal components.

    Attributes:
        mean: (D,).
        components: (C, D), orthonormal.
        variances: (C,), along them.
        noise: (), the variance along each other direction.
        threshold: (), the largest familiar distance.
    """

    mean: npt.NDArray[np.float32]
    components: npt.NDArray[np.float32]
    variances: npt.NDArray[np.float32]
    noise: npt.NDArray[np.float32]
    threshold: npt.NDArray[np.float32]

    @classmethod
    def of(cls, vectors: Vectors, num_components: int, threshold: float = np.inf) -> Self:
        """Fit the distribution to vectors (N, D)."""
        mean = vectors.mean(axis=0)
        _, singular, directions = np.linalg.svd(vectors - mean, full_matrices=False)
        variances, num_features = singular**2 / len(vectors), vectors.shape[1]
        count = min(num_components, len(vectors) - 1, num_features - 1)
        noise = variances[count:].sum() / (num_features - count)
        arrays = (mean, directions[:count], variances[:count], noise, threshold)
        return cls(*(np.asarray(each, np.float32) for each in arrays))

    def distances(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """Return the Mahalanobis distances (N,) of vectors (N, D)."""
        centred = vectors - self.mean
        along = centred @ self.components.T.astype(np.float64)  # (N, C)
        rest = (centred**2).sum(axis=1) - (along**2).sum(axis=1)
        squares = (along**2 / np.maximum(self.variances, MIN_VARIANCE)).sum(axis=1)
        squares += np.maximum(rest, 0) / np.maximum(self.noise, MIN_VARIANCE)
        return np.asarray(np.sqrt(squares), np.float64)


@dataclass(frozen=True, slots=True)
class Familiarity:
    """Statistics of the training clips.

    Attributes:
        streams: Stream -> its distribution.
    """

    streams: Mapping[str, StreamStatistics]

    def unfamiliar(
        self, track: "FaceTrack | None", embedding: "Embedding | None"
    ) -> tuple[str, ...]:
        """Return the streams of a window that lie outside of what training saw.

        Args:
            track: (T,) face; `None` without one.
            embedding: (S, D) of its sound; `None` or zeros without sound.

        Raises:
            UserError: When the embedding is another than that of the training clips.
        """
        vectors = describe(track, embedding)
        result = []
        for name, stream in self.streams.items():
            if name not in vectors:
                continue
            if vectors[name].shape != stream.mean.shape:
                raise UserError(
                    f"the statistics of {name} have {len(stream.mean)} values, and the network takes "
                    f"{len(vectors[name])}: fit them to its training clips"
                )
            if stream.distances(vectors[name][None])[0] > stream.threshold:
                result.append(name)
        return tuple(result)

    def save(self, path: Path) -> None:
        """Write the statistics to a file, see `emorec.inference.predictor.read_familiarity`.

        Raises:
            OSError: When it can't be written.
        """
        arrays = {
            f"{name}/{each.name}": getattr(stream, each.name)
            for name, stream in self.streams.items()
            for each in fields(stream)
        }
        with atomic_write(path) as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: When the file is damaged or something else.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                names = dict.fromkeys(key.partition("/")[0] for key in file)
                return cls(
                    {
                        name: StreamStatistics(
                            *(file[f"{name}/{each.name}"] for each in fields(StreamStatistics))
                        )
                        for name in names
                    }
                )
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path} has no statistics of training clips ({error}): fit them again, or remove it"
            ) from None


def describe(track: "FaceTrack | None", embedding: "Embedding | None") -> dict[str, Vectors]:
    """Return the vector (D,) of each stream that a window or a clip has.

    Args:
        track: (T,) face; frames without a face are left out.
        embedding: (S, D) of the sound; zeros without sound.
    """
    vectors: dict[str, Vectors] = {}
    if track is not None and track["present"].any():
        shapes = align(track["landmarks"][track["present"]])  # (T, L, 3)
        vectors["face"] = shapes.mean(axis=0).ravel()  # (L * 3,)
        vectors["motion"] = np.log(shapes.std(axis=0).mean(keepdims=True) + MIN_MOTION).ravel()
    if embedding is not None and embedding.any():
        vectors["sound"] = embedding.mean(axis=0, dtype=np.float64)
    return vectors


def align(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Centre landmarks (..., L, 3), level the eyes, and divide by their distance; `emorec.layers.geometry` in NumPy."""
    from emorec.data.landmarks import LEFT_EYE, RIGHT_EYE  # late: imports OpenCV

    points = landmarks.astype(np.float64)
    line = points[..., LEFT_EYE, :2] - points[..., RIGHT_EYE, :2]
    square = np.maximum((line**2).sum(axis=-1, keepdims=True), MIN_VARIANCE)
    cos, sin = np.moveaxis(line / square, -1, 0)[..., None]
    x, y, z = np.moveaxis(points - points.mean(axis=-2, keepdims=True), -1, 0)
    return np.stack([cos * x + sin * y, cos * y - sin * x, z / np.sqrt(square)], axis=-1)


def fit_familiarity(data: "ClipDataModule") -> Familiarity:
    """Fit the statistics to the training clips of a data module that was set up.

    Raises:
        UserError: When it reads neither landmarks nor embeddings of sound, or has too few people.
    """
    clips = data.subsets["train"]
    described = [
        describe(
            data.read_landmarks(clip) if data.read_landmarks else None,
            data.read_embedding(clip) if data.read_embedding else None,
        )
        for clip in clips
    ]
    people = [clip.actor for clip in clips]
    streams = {}
    for name, num_components in NUM_COMPONENTS.items():
        having = [index for index, vectors in enumerate(described) if name in vectors]
        if having:
            vectors = np.stack([described[index][name] for index in having])
            streams[name] = fit_stream(vectors, [people[index] for index in having], num_components)
    if not streams:
        raise UserError(NO_STREAMS)
    return Familiarity(streams)


def fit_stream(
    vectors: Vectors, people: "Sequence[Person]", num_components: int
) -> StreamStatistics:
    """Fit the statistics of a stream: the distribution to everybody, the threshold to people left out.

    Args:
        vectors: (N, D) of N clips.
        people: The person of each.
        num_components: C.

    Raises:
        UserError: When there are fewer than two people.
    """
    everybody = list(dict.fromkeys(people))
    if len(everybody) < 2:
        raise UserError(
            "statistics of the training clips need at least 2 people, to leave one out at a time"
        )
    fold_of = {
        person: index * NUM_FOLDS // len(everybody) for index, person in enumerate(everybody)
    }
    folds = np.array([fold_of[person] for person in people])
    distances = np.zeros(len(vectors))
    for fold in {*fold_of.values()}:
        held_out = folds == fold
        fitted = StreamStatistics.of(vectors[~held_out], num_components)
        distances[held_out] = fitted.distances(vectors[held_out])
    return StreamStatistics.of(vectors, num_components, float(np.quantile(distances, QUANTILE)))
