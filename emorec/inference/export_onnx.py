"""A trained network becomes an ONNX file."""

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch.export import Dim

from emorec import __version__
from emorec.errors import UserError
from emorec.inference.deployed import Deployed, example_inputs
from emorec.inference.facts import Facts
from emorec.inference.metadata import inputs_of, metadata, output_of
from emorec.inference.precision import Precision

LARGEST = 2**31 - 1
"""Bytes that one ONNX file can have."""


def to_onnx(
    deployed: Deployed, facts: Facts, precision: Precision, *, dynamic_batch: bool
) -> bytes:
    """The content of an ONNX file.

    Args:
        deployed: The network, on the CPU.
        facts: What there is to know of it.
        precision: Of its weights.
        dynamic_batch: Whether it is to take any number of windows; else one.

    Raises:
        UserError: When a package is missing, or the network is too large.
    """
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"ONNX files are made with {', '.join(missing)}, which is missing: pip install 'emorec[onnx]'"
        )
    output, _ = output_of(facts)
    shapes = (tuple({0: Dim("batch")} for _ in facts.inputs),) if dynamic_batch else None
    # the exporter's words to its developers: of future releases, of weights of recurrent layers
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            deployed,
            example_inputs(facts, 2 if dynamic_batch else 1),
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=list(facts.inputs),
            output_names=[output],
            verbose=False,
        )
    assert program is not None
    content = program.model_proto
    if content.ByteSize() > LARGEST:
        raise UserError(
            "the network has more than the 2 GB of an ONNX file: choose --format torch_export, or --half"
        )
    tell(content, facts, metadata(facts, precision, deployed.statistics))
    written: bytes = content.SerializeToString()
    return written


def tell(model: Any, facts: Facts, said: Mapping[str, str]) -> None:
    """Has a model say what it is and takes, and no more where the code lay that it came from; it is changed.

    Args:
        model: Of ONNX.
        facts: What there is to know of it.
        said: Its metadata.
    """
    graph = model.graph
    # names of files and lines of whoever exported it
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for function in model.functions:
        for node in function.node:
            del node.metadata_props[:]
    for each in (*graph.value_info, *graph.initializer, *graph.input, *graph.output):
        del each.metadata_props[:]
    del graph.metadata_props[:]
    del model.metadata_props[:]
    model.producer_name, model.producer_version = "emorec", __version__
    model.doc_string = f"{facts.network}, exported by emorec. {facts.licence}"
    for name, text in said.items():
        model.metadata_props.add(key=name, value=text)
    words = {**inputs_of(facts), **dict([output_of(facts)])}
    for each in (*graph.input, *graph.output):
        each.doc_string = words[each.name]
