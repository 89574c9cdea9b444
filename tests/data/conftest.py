"""What tests of data may ask for."""

from typing import get_args

import pytest

from emorec.data.video.reader import Decoder, decoder_module
from emorec.errors import UserError

DECODERS: tuple[Decoder, ...] = get_args(Decoder)


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    """Each that can be used here; torchcodec needs FFmpeg's libraries on the machine."""
    decoder: Decoder = request.param
    try:
        decoder_module(decoder)
    except UserError as error:
        pytest.skip(str(error))
    return decoder
