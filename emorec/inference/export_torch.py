"""A trained network becomes a program of torch.export, which needs no class of emorec to run."""

import io
import warnings

import torch
from torch.export import Dim

from emorec.inference.deployed import Deployed, example_inputs
from emorec.inference.facts import Facts
from emorec.inference.metadata import metadata
from emorec.inference.precision import Precision


def to_torch_export(
    deployed: Deployed, facts: Facts, precision: Precision, *, dynamic_batch: bool
) -> bytes:
    """The content of a .pt2 file.

    Args:
        deployed: The network, on the CPU.
        facts: What there is to know of it.
        precision: Of its weights.
        dynamic_batch: Whether it is to take any number of windows; else one.
    """
    shapes = (tuple({0: Dim("batch")} for _ in facts.inputs),) if dynamic_batch else None
    file = io.BytesIO()
    # words to developers: of weights of recurrent layers, and of weights that lie channels last
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            deployed, example_inputs(facts, 2 if dynamic_batch else 1), dynamic_shapes=shapes
        )
        program.example_inputs = None  # zeros, a few MB of them
        for node in program.graph.nodes:
            # names of files and lines of whoever exported it
            node.meta.pop("stack_trace", None)
        said = metadata(facts, precision, deployed.statistics) | {"torch": torch.__version__}
        torch.export.save(program, file, extra_files=said)
    return file.getvalue()
