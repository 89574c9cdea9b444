"""What runs a trained network: torch, ONNX Runtime, or a program that torch exported; numpy arrays go in and out."""

from typing import NotRequired, Protocol, TypedDict

import numpy as np
import numpy.typing as npt

from emorec.inference.facts import Facts

Outputs = npt.NDArray[np.float32]


class Windows(TypedDict):
    """B windows as a network takes them; what it does not take is left out.

    Attributes:
        frames: (B, T, H, W, 3) uint8, RGB.
        sound: (B, samples) float32 from -1 to 1.
        heard: (B,) bool, whether a window has sound.
    """

    frames: NotRequired[npt.NDArray[np.uint8]]
    sound: NotRequired[npt.NDArray[np.float32]]
    heard: NotRequired[npt.NDArray[np.bool_]]


class Runtime(Protocol):
    """A trained network, ready to use.

    Attributes:
        facts: What it was trained for and on.
        description: What runs it and where, such as "torch 2.11, cpu".
    """

    facts: Facts
    description: str

    def __call__(self, windows: Windows) -> Outputs:
        """B windows -> (B, K) probabilities, calibrated where a temperature was fitted, or (B, R) numbers."""
        ...
