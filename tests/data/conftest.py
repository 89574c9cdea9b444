"""What tests of data may ask for."""

from importlib import import_module
from typing import get_args

import pytest

from emorec.data.video.reader import Decoder
from emorec.errors import UserError

# the package exports a function under the name of this module
decode_module = import_module("emorec.data.decoding.decode")

DECODERS: tuple[Decoder, ...] = get_args(Decoder)


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    """Each that can be used here; torchcodec needs FFmpeg's libraries on the machine."""
    decoder: Decoder = request.param
    try:
        decode_module.library(decoder)
    except UserError as error:
        pytest.skip(str(error))
    return decoder
