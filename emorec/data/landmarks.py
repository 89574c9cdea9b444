"""Landmarks, blendshapes and head pose of the face in each frame of a clip, by MediaPipe's Face Landmarker.

Its graphs run in LiteRT. The first face is detected by YuNet; from then on each frame's face is searched for where the
landmarks of the frame before lie, and detected anew when it is lost.

Source: Kartynnik et al. 2019, Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs (landmarks,
tracking); Grishchenko et al. 2023, Blendshapes GHUM (blendshapes).
"""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.data.clip import settings_digest
from emorec.data.faces import Face
from emorec.data.preprocessing import VideoSpec, cached_detector, decoder_versions
from emorec.data.video.reader import Frames, library_of
from emorec.pretrained import (
    DIGESTS,
    FACE_LANDMARKER,
    FACE_MESH,
    YUNET,
    litert_interpreter,
    silent_stderr,
    weights_file,
)

FORMAT = 1
"""Version of the landmarks; raising it makes cached ones unused."""

NUM_LANDMARKS = 478
"""468 of the face, then 5 of each iris."""

BLENDSHAPES = (
    *("_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft"),
    *("browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft"),
    *("eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"),
    *("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft"),
    *("eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft"),
    *("jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight"),
    *("mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft"),
    *("mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft"),
    *(
        "mouthSmileRight",
        "mouthStretchLeft",
        "mouthStretchRight",
        "mouthUpperUpLeft",
        "mouthUpperUpRight",
    ),
    *("noseSneerLeft", "noseSneerRight"),
)
"""The 52 scores, in the order of the graph's output. Left and right are those of the person."""

FACE = np.dtype(
    [
        ("landmarks", np.float32, (NUM_LANDMARKS, 3)),
        ("blendshapes", np.float32, (len(BLENDSHAPES),)),
        ("pose", np.float32, (3,)),
        ("present", np.bool_),
    ]
)
"""The face in one frame.

landmarks: (478, 3), x to the right and y down in pixels of the frame, z away from the camera at the scale of x.
blendshapes: (52,), 0 to 1.
pose: (3,) yaw, pitch and roll of the head in degrees, see `head_pose`.
present: Whether it was found; without, the values are those of the nearest frame with a face, or 0.
"""

FaceTrack: TypeAlias = npt.NDArray[np.void]
"""(T,) of `FACE`."""

Points: TypeAlias = npt.NDArray[np.float32]
"""(478, 3) landmarks of one frame."""

SIDE = 256
"""Of the square that the landmark graph takes, in pixels."""

SQUARE_SHARE = 1.5
"""Side of the square around a face, in lengths of the longer side of its box."""

MIN_PRESENCE = 0.5
"""Lowest probability of a face in the square that counts as found."""

MAX_SHIFT = 0.1
"""In sides of the square: a face that lies further from its middle is cut out again, once."""

RIGHT_EYE, LEFT_EYE = 33, 263
"""Outer corners of the eyes, which are level in the square."""

BLENDSHAPE_LANDMARKS = np.array(
    [
        *(
            0,
            1,
            4,
            5,
            6,
            7,
            8,
            10,
            13,
            14,
            17,
            21,
            33,
            37,
            39,
            40,
            46,
            52,
            53,
            54,
            55,
            58,
            61,
            63,
            65,
        ),
        *(
            66,
            67,
            70,
            78,
            80,
            81,
            82,
            84,
            87,
            88,
            91,
            93,
            95,
            103,
            105,
            107,
            109,
            127,
            132,
            133,
            136,
        ),
        *(144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168),
        *(172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276),
        *(282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318),
        *(321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380),
        *(381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466),
        *range(468, 478),
    ]
)
"""The landmarks that the blendshape graph takes. Source: MediaPipe, face_blendshapes_graph.cc."""


CONTOURS = (
    (
        *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
        *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10),
    ),
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7, 33),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249, 263),
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 70),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276, 300),
    (
        *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
        *(375, 321, 405, 314, 17, 84, 181, 91, 146, 61),
    ),
    (
        *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
        *(324, 318, 402, 317, 14, 87, 178, 88, 95, 78),
    ),
    (168, 6, 197, 195, 5, 4),
    (48, 64, 98, 97, 2, 326, 327, 294, 278),
)
"""Landmarks along the oval of the face, its eyes, brows, lips and nose: lines that show an expression.

Source: MediaPipe, face_landmarks_connections.py.
"""

CONTOUR_STARTS = np.cumsum([0, *map(len, CONTOURS)])
"""Where each line begins among the points of all."""


def contour_points(landmarks: Points) -> npt.NDArray[np.int16]:
    """Landmarks (478, 3) -> (P, 2): x and y of the points of `CONTOURS`, in whole pixels."""
    points = landmarks[[number for line in CONTOURS for number in line], :2]
    return np.asarray(points.round().clip(-32_768, 32_767), np.int16)


class FaceMesh(NamedTuple):
    """The canonical face of MediaPipe.

    Attributes:
        vertices: (468, 3) in centimetres, x to the left of the person, y up, z to the front.
        triangles: (898, 3) vertices of each triangle.
        weights: (468,) of the vertices that expressions move little; 0 for the others.
    """

    vertices: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.uint16]
    weights: npt.NDArray[np.float32]


@cache
def face_mesh() -> FaceMesh:
    """Return the canonical face."""
    with np.load(weights_file(FACE_MESH), allow_pickle=False) as file:
        return FaceMesh(file["vertices"], file["triangles"], file["weights"])


@dataclass(frozen=True, slots=True)
class Square:
    """A turned square of a frame.

    Attributes:
        x: Of its centre, in pixels.
        y: Of its centre, in pixels.
        side: In pixels.
        angle: By which its upper side is turned clockwise in the picture, in radians.
    """

    x: float
    y: float
    side: float
    angle: float

    @classmethod
    def around(
        cls, box: Sequence[float], right_eye: Sequence[float], left_eye: Sequence[float]
    ) -> "Square":
        """Return the square around a box (left, top, right, bottom) in which the eyes are level.

        >>> Square.around((0, 0, 40, 20), right_eye=(10, 5), left_eye=(30, 5))
        Square(x=20.0, y=10.0, side=60.0, angle=0.0)
        """
        left, top, right, bottom = box
        return cls(
            x=(left + right) / 2,
            y=(top + bottom) / 2,
            side=max(right - left, bottom - top) * SQUARE_SHARE,
            angle=float(np.arctan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0])),
        )

    @classmethod
    def of_face(cls, face: Face) -> "Square":
        """Return the square around a detected face."""
        box = face.box
        edges = (box.left, box.top, box.left + box.width, box.top + box.height)
        return cls.around(edges, *face.points[:2])

    @classmethod
    def of_landmarks(cls, landmarks: Points) -> "Square":
        """Return the square around landmarks (478, 3)."""
        x, y = landmarks[:, 0], landmarks[:, 1]
        edges = [float(each) for each in (x.min(), y.min(), x.max(), y.max())]
        return cls.around(edges, landmarks[RIGHT_EYE].tolist(), landmarks[LEFT_EYE].tolist())

    def matrix(self) -> npt.NDArray[np.float64]:
        """Return the affine map (2, 3) from pixels of the square, 0 to `SIDE`, to pixels of the frame."""
        scale = self.side / SIDE
        cos, sin = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        half = SIDE / 2
        return np.array(
            [
                [cos, -sin, self.x - half * (cos - sin)],
                [sin, cos, self.y - half * (sin + cos)],
            ]
        )

    def is_far_from(self, other: "Square") -> bool:
        """Whether a face lies too far from the middle of another square to be measured there."""
        shift = np.hypot(self.x - other.x, self.y - other.y)
        return bool(max(shift, abs(self.side - other.side)) > MAX_SHIFT * other.side)


class FaceLandmarker:
    """Face Landmarker on the frames of clips. Not picklable: each process opens its own.

    Args:
        num_threads: Of each graph.

    Raises:
        UserError: When LiteRT is not installed, or a file of the package is damaged.
    """

    def __init__(self, num_threads: int = 1) -> None:
        litert = litert_interpreter("landmarks need", "choose a network of frames or sound")
        self._detect = cached_detector("yunet")
        with zipfile.ZipFile(weights_file(FACE_LANDMARKER)) as archive, silent_stderr():
            self._landmarks, self._blendshapes = (
                _Graph(
                    litert.Interpreter(model_content=archive.read(name), num_threads=num_threads)
                )
                for name in ("face_landmarks_detector.tflite", "face_blendshapes.tflite")
            )

    def __call__(
        self,
        frames: Sequence[Frames] | Frames,
        faces: Sequence[Face | None] | None = None,
        last: Points | None = None,
    ) -> FaceTrack:
        """Return one face of a clip, (T,) of `FACE`.

        Args:
            frames: T frames (H, W, C) uint8, RGB, in temporal order.
            faces: The face to measure as it was detected in each frame; by default the largest one of the first frame
                with any.
            last: Landmarks of the frame before.
        """
        track = np.zeros(len(frames), FACE)
        for index, (frame, face) in enumerate(zip(frames, track, strict=True)):
            detected = self._detect if faces is None else lambda _, index=index: faces[index]
            last = self.landmarks(frame, last, detected)
            if last is not None:
                face["landmarks"], face["present"] = last, True
                face["blendshapes"] = self.blendshapes(last)
                face["pose"] = head_pose(last)
        return fill_missing(track)

    def landmarks(
        self,
        frame: Frames,
        last: Points | None = None,
        find: Callable[[Frames], Face | None] | None = None,
    ) -> Points | None:
        """Return the landmarks (478, 3) of the face in a frame; `None` without one.

        Args:
            frame: (H, W, C) uint8, RGB.
            last: Landmarks of the frame before, where the face is searched for first.
            find: Detects the face where it is not there; by default the largest one.
        """
        if last is not None:
            square = Square.of_landmarks(last)
            found = self._in_square(frame, square)
            if found is not None and Square.of_landmarks(found).is_far_from(square):
                found = self._in_square(frame, Square.of_landmarks(found))
            if found is not None:
                return found
        face = (find or self._detect)(frame)
        if face is None:
            return None
        found = self._in_square(frame, Square.of_face(face))
        # the box of the detector is not that of the landmarks, with which the graph was trained
        return None if found is None else self._in_square(frame, Square.of_landmarks(found))

    def blendshapes(self, landmarks: Points) -> npt.NDArray[np.float32]:
        """Landmarks (478, 3) in pixels -> (52,) scores from 0 to 1."""
        (scores,) = self._blendshapes(landmarks[BLENDSHAPE_LANDMARKS, :2])
        return scores.reshape(-1)

    def _in_square(self, frame: Frames, square: Square) -> Points | None:
        """The landmarks in a square; `None` where no face is in it."""
        matrix = square.matrix()
        pixels = cv2.warpAffine(
            frame, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        points, presence = self._landmarks(pixels / np.float32(255))[:2]
        if presence.item() < np.log(MIN_PRESENCE / (1 - MIN_PRESENCE)):
            return None
        points = points.reshape(NUM_LANDMARKS, 3)
        z = points[:, 2:] * (square.side / SIDE)
        return np.hstack([points[:, :2] @ matrix[:, :2].T + matrix[:, 2], z]).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkSpec(VideoSpec):
    """The face in each of T frames of a clip, see `FACE`.

    >>> LandmarkSpec(num_frames=16).shape
    (16,)
    """

    @property
    @override
    def shape(self) -> tuple[int]:
        return (self.num_frames,)

    @property
    @override
    def dtype(self) -> np.dtype[np.void]:
        return FACE

    @property
    @override
    def name(self) -> str:
        content = {
            "format": FORMAT,
            **asdict(self),
            **decoder_versions(self.decoder),
            "version": self.version,
        }
        return f"landmarks-{self.num_frames}-{library_of(self.decoder)}-{settings_digest(content)}"

    @property
    def version(self) -> str:
        """Names and digests of the models; landmarks may differ between versions."""
        models = {"face_landmarker": FACE_LANDMARKER, "yunet": YUNET}
        return ", ".join(f"{name} {DIGESTS[file][:8]}" for name, file in models.items())

    @override
    def preprocess(self, frames: Frames) -> tuple[FaceTrack, int]:
        track = cached_landmarker()(frames)
        return track, int(track["present"].sum())


@cache
def cached_landmarker() -> FaceLandmarker:
    """Return the Face Landmarker, opened once in this process."""
    return FaceLandmarker()


class _Graph:
    """A TFLite graph with one input."""

    def __init__(self, interpreter: Any) -> None:
        interpreter.allocate_tensors()
        self._interpreter = interpreter
        (self._input,) = interpreter.get_input_details()
        self._outputs = [each["index"] for each in interpreter.get_output_details()]

    def __call__(self, values: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        self._interpreter.set_tensor(self._input["index"], values[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def fill_missing(track: FaceTrack) -> FaceTrack:
    """Return a track in which frames without a face have the values of the nearest frame with one, if there is any.

    >>> track = np.zeros(4, FACE)
    >>> track["present"][[0, 3]], track["blendshapes"][[0, 3], 0] = True, (0.1, 0.4)
    >>> fill_missing(track)["blendshapes"][:, 0].tolist(), fill_missing(track)["present"].tolist()
    ([0.10000000149011612, 0.10000000149011612, 0.4000000059604645, 0.4000000059604645], [True, False, False, True])
    """
    (found,) = np.nonzero(track["present"])
    if not len(found):
        return track
    nearest = np.abs(np.arange(len(track))[:, None] - found).argmin(axis=1)
    filled: FaceTrack = track[found[nearest]]
    filled["present"] = track["present"]
    return filled


@cache
def _canonical_face() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Vertices (468, 3) as in a picture, x to its right, y down, z away from the camera, around 0; their weights."""
    mesh = face_mesh()
    weights = mesh.weights.astype(np.float64) / mesh.weights.sum()
    canonical = mesh.vertices * (1.0, -1.0, -1.0)
    return canonical - weights @ canonical, weights


def head_pose(landmarks: Points) -> npt.NDArray[np.float32]:
    """Return yaw, pitch and roll of the head in degrees, from landmarks (478, 3).

    All are 0 for a face that looks into the camera. Yaw is above 0 when the nose points to the right of the picture,
    pitch when it points down, roll when the head is turned clockwise in the picture.

    Source: Kabsch 1976, A solution for the best rotation to relate two sets of vectors, of the canonical face to the
    landmarks, as in MediaPipe's face geometry but without perspective.
    """
    canonical, weights = _canonical_face()
    points = landmarks[: len(canonical)].astype(np.float64)
    points -= weights @ points
    u, _, vh = np.linalg.svd((canonical.T * weights) @ points)
    sign = np.sign(np.linalg.det(u @ vh))
    rotation = vh.T @ np.diag([1, 1, sign]) @ u.T
    right, front = rotation[:, 0], -rotation[:, 2]
    yaw = np.arctan2(front[0], -front[2])
    pitch = np.arcsin(np.clip(front[1], -1, 1))
    # of the axis through the ears, after yaw and pitch are undone
    level = np.array([np.cos(yaw), 0, np.sin(yaw)])
    roll = np.arctan2(np.linalg.det([level, right, -front]), level @ right)
    return np.degrees([yaw, pitch, roll]).astype(np.float32)
