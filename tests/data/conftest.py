"""Fixtures of the tests of data."""

from typing import get_args

import pytest

from emorec.data.video.reader import Decoder, decoder_module
from emorec.errors import UserError

DECODERS: tuple[Decoder, ...] = get_args(Decoder)


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    """Every decoder that is usable here; torchcodec needs FFmpeg's libraries on the machine."""
    decoder: Decoder = request.param
    try:
        decoder_module(decoder)
    except UserError as error:
        pytest.skip(str(error))
    return decoder
