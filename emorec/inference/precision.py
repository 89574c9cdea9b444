"""How exact the numbers within an exported network are."""

from typing import Literal

Precision = Literal["float32", "float16"]

TOLERANCES: dict[Precision, float] = {"float32": 1e-3, "float16": 2e-2}
"""What a probability (or a predicted number) may differ by from what torch makes of the checkpoint at 32 bits."""
