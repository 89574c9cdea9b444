"""A program of torch.export becomes a network that is ready to use, run by torch; no class of emorec's networks is."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export.passes import move_to_device_pass

from emorec.errors import UserError
from emorec.inference.at_once import Inputs, run_at_once
from emorec.inference.facts import Facts
from emorec.inference.metadata import FACTS
from emorec.inference.runtime import Outputs, Windows


class ExportedRuntime:
    """An exported network, run by torch.

    A program can hold whatever its maker put into it, and torch may run that while it loads it: use only files of
    people you trust. What was not exported by emorec is refused before torch sees it.

    Args:
        path: What `emorec export --format torch_export` wrote.
        device: Such as "cuda" or "cpu"; a GPU where there is one when not given.

    Raises:
        UserError: When it is no such file, or of another torch that can't be read.
    """

    def __init__(self, path: Path, device: str | None = None) -> None:
        self.facts, made_with = _said(path)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        program = _program(path, made_with)
        self._at_once = _fixed_batch(program)
        if self.device.type != "cpu":
            program = move_to_device_pass(program, str(self.device))
        self._module = program.module()
        self.description = f"torch.export {torch.__version__}, {self.device}"

    def __call__(self, windows: Windows) -> Outputs:
        """B windows -> (B, K) probabilities or (B, R) numbers."""
        given: Any = windows
        return run_at_once(self._run, [given[name] for name in self.facts.inputs], self._at_once)

    def _run(self, inputs: Inputs) -> Outputs:
        tensors = [torch.from_numpy(each).to(self.device) for each in inputs]
        with torch.inference_mode():
            said: Outputs = self._module(*tensors).cpu().numpy().astype(np.float32, copy=False)
        return said


def _said(path: Path) -> tuple[Facts, str]:
    """The facts in a file, and the torch that wrote it; torch itself has not read it then."""
    if not path.is_file():
        kind = "is a folder: name a file" if path.is_dir() else "is not there"
        raise UserError(f"{path} {kind}")
    try:
        with zipfile.ZipFile(path) as archive:
            texts = {
                name.rpartition("/extra/")[2]: archive.read(name).decode()
                for name in archive.namelist()
                if "/extra/" in name
            }
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError):
        raise UserError(f"{path} is cut off or no program of torch.export") from None
    if FACTS not in texts:
        raise UserError(f"{path} was not exported by emorec: it does not say what it takes")
    try:
        return Facts.from_json(texts[FACTS]), texts.get("torch", "unknown")
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _program(path: Path, made_with: str) -> torch.export.ExportedProgram:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that weights lie channels last
            return torch.export.load(path)
    except Exception as error:  # whatever another version trips over
        raise UserError(
            f"{path} was exported with torch {made_with} and can't be read by {torch.__version__}: export the "
            f"checkpoint again ({str(error).strip().partition(chr(10))[0]})"
        ) from error


def _fixed_batch(program: torch.export.ExportedProgram) -> int | None:
    """How many windows it takes at once; `None` when any number."""
    first = program.graph_signature.user_inputs[0]
    (node,) = [node for node in program.graph.nodes if node.name == first]
    size = node.meta["val"].shape[0]
    return size if isinstance(size, int) else None
