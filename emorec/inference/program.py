"""A trained network as a graph of torch's operations, from which both kinds of files are made."""

import warnings

import torch
from torch.export import Dim, ExportedProgram

from emorec.inference.deployed import Deployed, example_inputs
from emorec.inference.facts import Facts


def program_of(deployed: Deployed, facts: Facts, *, dynamic_batch: bool) -> ExportedProgram:
    """The graph of a network, without the places in the code that it came from.

    Args:
        deployed: The network, on the CPU.
        facts: What there is to know of it.
        dynamic_batch: Whether it is to take any number of windows; else one.
    """
    shapes = (tuple({0: Dim("batch")} for _ in facts.inputs),) if dynamic_batch else None
    # an example of one would make the graph one for one
    examples = example_inputs(facts, 2 if dynamic_batch else 1)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # words to developers, of weights of recurrent layers
        program = torch.export.export(deployed, examples, dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names of files of whoever exported it
    return program
