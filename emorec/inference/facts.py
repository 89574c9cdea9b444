"""What one has to know of a trained network to use it, as plain values that every exported file carries."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from emorec.data.preprocessing import Resize
from emorec.errors import UserError
from emorec.image_size import Size, parse_image_size

FORMAT = 2
"""Of the facts in an exported file; a higher number is of a newer emorec."""

Says = Literal["classes", "numbers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A trained network's account of itself.

    Attributes:
        network: Import path of its class.
        says: Whether it names one of K classes or predicts R numbers.
        names: Of the classes in label order, or of the numbers.
        inputs: What it takes of a window, of "frames", "sound" and "heard".
        num_frames: T, evenly spaced over a window; 0 where it only hears.
        image_size: Of the frames; up to format 1 the side of squares.
        resize: What became of pictures of other proportions.
        face: Whether it was trained on faces that were cut out; else on whole pictures.
        sound_rate: Samples a second.
        sound_seconds: Of the middle of a window.
        window_seconds: How long the clips were that it was trained on.
        temperature: What its logits are divided by, where one was fitted.
        checkpoint_sha256: Of the file with its weights.
        emorec_version: That trained or exported it.
        data: Import path of the data module it was trained on.
        split: Who trained, validated and was to test (see `ClipDataModule.split_record`).
        licence: Of the data, as it binds who uses the network.
    """

    network: str
    says: Says
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    num_frames: int
    image_size: Size
    resize: Resize
    face: bool
    sound_rate: int
    sound_seconds: float
    window_seconds: float
    temperature: float | None
    checkpoint_sha256: str
    emorec_version: str
    data: str
    split: dict[str, Any]
    licence: str

    def to_json(self) -> str:
        """The facts as one line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The facts that `to_json` wrote.

        Raises:
            UserError: When it is something else, or of a newer emorec.
        """
        try:
            said = dict(json.loads(text))
            if said.pop("format") > FORMAT:
                raise UserError(
                    f"exported by emorec {said.get('emorec_version')}: this emorec is too old for it"
                )
            said = {name: said[name] for name in (field.name for field in fields(cls))}
            said["image_size"] = parse_image_size(said["image_size"])
            return cls(**{**said, "names": tuple(said["names"]), "inputs": tuple(said["inputs"])})
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"these are no facts of a network of emorec: {error!r}") from None

    @property
    def hears(self) -> bool:
        """Whether it takes sound."""
        return "sound" in self.inputs

    @property
    def sound_samples(self) -> int:
        """Of the sound of a window."""
        return round(self.sound_rate * self.sound_seconds)

    @property
    def sees(self) -> bool:
        """Whether it takes frames."""
        return "frames" in self.inputs
