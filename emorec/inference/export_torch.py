"""The graph of a network becomes a file of torch.export, which needs no class of emorec's networks to run."""

import io
import warnings
from collections.abc import Mapping

import torch
from torch.export import ExportedProgram


def to_torch_export(program: ExportedProgram, said: Mapping[str, str]) -> bytes:
    """The content of a .pt2 file.

    Args:
        program: The graph; its example, zeros of a few MB, is left out of it and of the file.
        said: The file's metadata.
    """
    file = io.BytesIO()
    program.example_inputs = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # words to developers, of weights that lie channels last
        torch.export.save(program, file, extra_files={**said, "torch": torch.__version__})
    return file.getvalue()
