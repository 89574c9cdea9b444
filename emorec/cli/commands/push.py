"""`emorec push`: upload a trained network to the Hugging Face Hub."""

import re
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from emorec import hub
from emorec.errors import UserError


def push(
    name: str,
    /,
    *,
    ckpt: str,
    private: bool = False,
    tests: tuple[str, ...] = (),
    to: str | None = None,
) -> None:
    """Upload a network to the Hugging Face Hub, where --ckpt hf://USER/NAME finds it.

    Uploaded are the weights (safetensors), what the checkpoint records, the settings, and the model card, which has the
    scores of the run's test. Nothing is pickled. Folders of this machine stay here, and so do the names of people in
    data of your own. Log in first, with hf auth login or HF_TOKEN.

    Args:
        name: USER/NAME of the repository, made if missing; files of an earlier push are replaced.
        ckpt: The checkpoint, such as lightning_logs/.../best.ckpt.
        private: Make a private repository.
        tests: Folders of tested runs, as for emorec card: the cross-validation of the network's settings.
        to: Write the files into this folder instead of uploading them.

    Raises:
        UserError: When the network can't be read, or the Hub refuses it or can't be reached.
    """
    address = hub.Address(name.removeprefix("hf://"))
    if not re.fullmatch(hub.REPOSITORY, address.repository):
        raise UserError(f"{name} does not name a repository: write USER/NAME")
    if to is None:
        hub.check_repository(address.repository, private=private)  # before the work
    # late: torch takes seconds
    from emorec import checkpoint
    from emorec.report.card_facts import read_test
    from emorec.report.repository import write_repository
    from emorec.report.runs import find_runs

    record = checkpoint.read(ckpt)
    runs = find_runs(tests)[0] if tests else []
    with TemporaryDirectory(prefix="emorec-push-") if to is None else nullcontext(to) as folder:
        files = write_repository(record, address, Path(folder).expanduser(), runs)
        print(listing(files), flush=True)
        if not runs and isinstance(untested := read_test(record), str):
            print(
                f"the card has no scores: {untested}; test it first, or name its cross-validation with --tests",
                file=sys.stderr,
            )
        if to is not None:
            print(f"written to {to}: look at them, and push without --to")
            return
        page, is_private = hub.upload(Path(folder), address.repository, private=private)
    kind = "private" if is_private else "public"
    print(f"pushed to {page} ({kind})\nuse it: emorec predict --ckpt {address} VIDEO")


def listing(files: Sequence[Path]) -> str:
    """Return the names and sizes of files, a line each."""
    from emorec.text import byte_count

    width = max(len(path.name) for path in files)
    return "\n".join(f"{path.name:<{width}}  {byte_count(path.stat().st_size)}" for path in files)
