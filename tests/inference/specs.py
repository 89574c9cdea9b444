"""Model specifications."""

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
    face="none",
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
"""Five uncropped frames of 28 x 28 pixels per second."""


def make_spec(**changes: Any) -> ModelSpec:
    """Return the specification with some fields replaced."""
    return replace(PICTURES, **changes)
