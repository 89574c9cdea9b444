"""The graph of a network becomes an ONNX file."""

import re
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch.export import ExportedProgram

from emorec import __version__
from emorec.errors import UserError
from emorec.inference.facts import Facts
from emorec.inference.metadata import inputs_of, output_of

LARGEST = 2**31 - 1
"""Bytes that one ONNX file can have."""


def to_onnx(program: ExportedProgram, facts: Facts, said: Mapping[str, str]) -> bytes:
    """The content of an ONNX file.

    Args:
        program: The graph.
        facts: What there is to know of the network.
        said: The file's metadata.

    Raises:
        UserError: When a package is missing, or the network is too large.
    """
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"ONNX files are made with {', '.join(missing)}, which is missing: pip install 'emorec[onnx]'"
        )
    output, _ = output_of(facts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # words to developers, of future releases
        exported = torch.onnx.export(
            program,
            dynamo=True,
            input_names=list(facts.inputs),
            output_names=[output],
            verbose=False,
        )
    assert exported is not None
    model = exported.model_proto
    if model.ByteSize() > LARGEST:
        raise UserError(
            "the network has more than the 2 GB of an ONNX file: choose --format torch_export, or --half"
        )
    tell(model, facts, said)
    content: bytes = model.SerializeToString()
    return content


def tell(model: Any, facts: Facts, said: Mapping[str, str]) -> None:
    """Has a model say what it is and takes, and nothing of how it was made; it is changed.

    Args:
        model: Of ONNX.
        facts: What there is to know of it.
        said: Its metadata.
    """
    graph = model.graph
    nodes = [*graph.node, *(node for function in model.functions for node in function.node)]
    values = [*graph.value_info, *graph.initializer, *graph.input, *graph.output]
    for each in (*nodes, *values, graph, model):
        del each.metadata_props[:]
    for each in (*graph.value_info, *graph.input, *graph.output):
        for dim in each.type.tensor_type.shape.dim:
            if dim.HasField("dim_param"):
                dim.dim_param = named_batch(dim.dim_param)
    model.producer_name, model.producer_version = "emorec", __version__
    model.doc_string = f"{facts.network}, exported by emorec. {facts.licence}"
    for name, text in said.items():
        model.metadata_props.add(key=name, value=text)
    words = {**inputs_of(facts), **dict([output_of(facts)])}
    for each in (*graph.input, *graph.output):
        each.doc_string = words[each.name]


def named_batch(size: str) -> str:
    """A size that torch has named by itself, such as "s21", in words: the one symbol of these graphs is B.

    >>> named_batch("s21"), named_batch("10*s21")
    ('batch', '10*batch')
    """
    return re.sub(r"\bs\d+\b", "batch", size)
