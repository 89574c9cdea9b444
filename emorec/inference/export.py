"""A checkpoint becomes a file that runs without emorec's networks, once it was seen to say the same."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emorec.errors import UserError
from emorec.files import whole_file
from emorec.inference.deployed import Deployed
from emorec.inference.export_format import SUFFIXES, Format
from emorec.inference.export_onnx import to_onnx
from emorec.inference.export_torch import to_torch_export
from emorec.inference.exported_runtime import ExportedRuntime
from emorec.inference.facts import Facts
from emorec.inference.half import halve
from emorec.inference.metadata import metadata
from emorec.inference.onnx_runtime import OnnxRuntime
from emorec.inference.parity import Parity, parity, shown
from emorec.inference.precision import TOLERANCES, Precision
from emorec.inference.program import program_of
from emorec.inference.runtime import Runtime, Windows
from emorec.inference.torch_runtime import TorchRuntime, load_network
from emorec.models import ClipNetwork

RUNTIMES: dict[Format, Callable[[Path, str], Runtime]] = {
    "onnx": OnnxRuntime,
    "torch_export": ExportedRuntime,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written.

    Attributes:
        path: Where.
        facts: What it says of itself.
        parity: With the checkpoint.
        runtime: What ran it.
    """

    path: Path
    facts: Facts
    parity: Parity
    runtime: str


def exported(
    ckpt: Path, kind: Format, precision: Precision = "float32", *, dynamic_batch: bool = False
) -> tuple[bytes, Facts]:
    """The content of a file that says what a checkpoint says, not compared with it yet.

    Raises:
        UserError: When the checkpoint can't be used or exported.
    """
    network, facts = load_network(ckpt)
    return _content(network, facts, kind, precision, dynamic_batch=dynamic_batch), facts


def _content(
    network: ClipNetwork, facts: Facts, kind: Format, precision: Precision, *, dynamic_batch: bool
) -> bytes:
    if precision == "float16":
        halve(network)
    deployed = Deployed(network, facts)
    program = program_of(deployed, facts, dynamic_batch=dynamic_batch)
    said = metadata(facts, precision, deployed.statistics)
    return to_onnx(program, facts, said) if kind == "onnx" else to_torch_export(program, said)


def export(
    ckpt: Path,
    kind: Format,
    to: Path,
    windows: Callable[[Facts], Windows],
    *,
    precision: Precision = "float32",
    dynamic_batch: bool = False,
) -> Exported:
    """Writes a checkpoint's network into a file, whole or not at all, when both say the same of some windows.

    Args:
        ckpt: The checkpoint.
        kind: Of the file.
        to: The file; replaced.
        windows: What both are asked about, given the network's facts.
        precision: Of the weights.
        dynamic_batch: Whether it takes any number of windows at once; else one.

    Raises:
        UserError: When the checkpoint can't be used, the file says something else, or it can't be written.
    """
    network, facts = load_network(ckpt)
    given = windows(facts)  # first: what is wrong with them is told before half a minute of export
    content = _content(network, facts, kind, precision, dynamic_batch=dynamic_batch)
    with tempfile.TemporaryDirectory(prefix="emorec-export-") as folder:
        trial = Path(folder, f"network{SUFFIXES[kind]}")
        trial.write_bytes(content)
        runtime = RUNTIMES[kind](trial, "cpu")
        found = parity(runtime(given), TorchRuntime(ckpt, "cpu")(given))
    if found.largest > TOLERANCES[precision]:
        raise UserError(
            f"{to} was not written: exported, {ckpt} says something else by up to {shown(found.largest)}, and "
            f"{TOLERANCES[precision]:g} is allowed{'; leave out --half' if precision == 'float16' else ''}"
        )
    try:
        with whole_file(to) as file:
            file.write(content)
    except OSError as error:
        raise UserError(
            f"can't write {to}: {error.strerror}; choose another file with --to"
        ) from error
    return Exported(to, facts, found, runtime.description)
