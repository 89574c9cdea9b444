"""Networks as windows are made for them."""

from dataclasses import replace
from typing import Any

from emorec.inference.spec import ModelSpec

PICTURES = ModelSpec(
    network="made.up.Network",
    task="classes",
    names=("calm", "happy"),
    inputs=("frames",),
    num_frames=5,
    image_size=(28, 28),
    resize="shorter_side",
    face=False,
    sound_rate=16_000,
    sound_seconds=1.0,
    window_seconds=1.0,
    temperature=None,
    checkpoint_sha256="0" * 64,
    emorec_version="0",
    data="made.up.Data",
    split={},
    licence="none",
)
"""It sees five whole pictures of 28 pixels a side in each second."""


def make_spec(**others: Any) -> ModelSpec:
    """The same network, other in what is named."""
    return replace(PICTURES, **others)
