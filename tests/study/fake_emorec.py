"""A stand-in for `emorec` whose `fit` and `test` write the files of a run and train nothing.

`python fake_emorec.py study FILE ...` is `emorec study` with runs of this program.
"""

import argparse
import contextlib
import json
import os
import re
import sys
import time
from pathlib import Path

PACE = 0.05
"""Seconds per epoch."""


def flag(arguments: list[str], name: str) -> str | None:
    return next(
        (argument.partition("=")[2] for argument in arguments if argument.startswith(f"--{name}=")),
        None,
    )


def fit(arguments: list[str]) -> None:
    folder = Path(
        flag(arguments, "trainer.logger.save_dir") or "",
        flag(arguments, "trainer.logger.version") or "",
    )
    last = folder / "checkpoints" / "last.ckpt"
    before = json.loads(last.read_text()) if "--ckpt" in arguments else None
    state = before or {
        "epochs": 0,
        "max_epochs": int(flag(arguments, "trainer.max_epochs") or 3),
        "lr": float(flag(arguments, "model.lr") or 0.1),
        "metric": flag(arguments, "model.metric") or "val/uar",
        "seed": int(flag(arguments, "seed_everything") or 0),
    }
    with Path("started.txt").open("a") as file:
        file.write(f"{folder.parent.name}/{folder.name} {state['epochs']}\n")
    if state["seed"] == 13:
        sys.exit("emorec fit: error: out of luck: choose another seed")
    last.parent.mkdir(parents=True, exist_ok=True)
    Path(folder, "pid").write_text(str(os.getpid()))
    for epoch in range(state["epochs"] + 1, state["max_epochs"] + 1):
        time.sleep(PACE)
        score = {"value": state["lr"], "best": state["lr"]}
        line = {
            "epoch": epoch,
            "metric": state["metric"],
            "max_epochs": state["max_epochs"],
            **score,
        }
        with Path(folder, "validation.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        if state["lr"] > float(flag(arguments, "model.diverges_above") or 1):
            sys.exit("emorec fit: error: the training diverged: choose a smaller --model.lr")
        unfinished = last.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({**state, "epochs": epoch}))
        unfinished.replace(last)
        print(f"epoch {epoch}", flush=True)
    last.with_name("best.ckpt").write_text("")


def test(arguments: list[str]) -> None:
    folder = Path(arguments[arguments.index("--ckpt") + 1]).parent.parent / "test"
    folder.mkdir(exist_ok=True)
    Path(folder, "metrics.json").write_text("{}")


def study(arguments: list[str]) -> None:
    from emorec.cli.commands.study import study as command
    from emorec.errors import UserError
    from emorec.study import runner, worker

    worker.PROGRAM = (sys.executable, __file__)
    worker.SYNC_SECONDS = 0.2
    # these import torch and are tested elsewhere
    setattr(runner, "check_runs", lambda *_: None)  # noqa: B010
    setattr(runner, "visible_gpus", list)  # noqa: B010
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--storage")
    options, flags = parser.parse_known_args(arguments)
    try:
        command(options.file, *flags, jobs=options.jobs, storage=options.storage)
    except UserError as error:
        sys.exit(f"emorec study: error: {error}")


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    assert re.fullmatch("fit|test|study", command)
    with contextlib.suppress(BrokenPipeError):
        {"fit": fit, "test": test, "study": study}[command](rest)
