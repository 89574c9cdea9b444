"""A program ends whatever its loaders' processes are at."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import time, torch
from emorec.data.loader import make_loader

class Endless(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        time.sleep({seconds} * (index > 1))
        return dict(label=torch.tensor(index))

loader = make_loader(Endless(), batch_size=1, num_workers=2)
batches = iter(loader)
print(next(batches)["label"].item(), flush=True)
kept = [batches]
kept.append(kept)  # a circle, which Python does not take apart when it ends
raise SystemExit(7)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 600], ids=["idle", "standing still"])
def test_a_program_ends_though_its_loader_was_never_let_go_of(seconds: int) -> None:
    program = PROGRAM.format(seconds=seconds)
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "0\n", "")
