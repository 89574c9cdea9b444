"""Fixtures of the tests of data."""

from typing import get_args

import pytest

from emorec.data.video.reader import Library, decoder_module
from emorec.errors import UserError

DECODERS: tuple[Library, ...] = get_args(Library)


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Library:
    """Every decoder that is usable here; torchcodec needs FFmpeg's libraries on the machine."""
    decoder: Library = request.param
    try:
        decoder_module(decoder)
    except UserError as error:
        pytest.skip(str(error))
    return decoder
