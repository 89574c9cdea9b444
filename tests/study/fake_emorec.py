"""Stands for `emorec`: obeys what a study asks of `emorec fit` and `emorec test`, and trains nothing.

As a script it is that program. `python fake_emorec.py study FILE ...` is `emorec study` whose runs it does.
"""

import contextlib
import json
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

PACE = 0.05
"""Seconds an epoch takes."""


def flag(words: list[str], name: str) -> str | None:
    return next((word.partition("=")[2] for word in words if word.startswith(f"--{name}=")), None)


def fit(words: list[str]) -> None:
    folder = Path(
        flag(words, "trainer.logger.save_dir") or "", flag(words, "trainer.logger.version") or ""
    )
    last = folder / "checkpoints" / "last.ckpt"
    before = json.loads(last.read_text()) if "--ckpt" in words else None
    said = before or {
        "epochs": 0,
        "max_epochs": int(flag(words, "trainer.max_epochs") or 3),
        "lr": float(flag(words, "model.lr") or 0.1),
        "figure": flag(words, "model.figure") or "UAR",
        "seed": int(flag(words, "seed_everything") or 0),
    }
    with Path("started.txt").open("a") as file:
        file.write(f"{folder.parent.name}/{folder.name} {said['epochs']}\n")
    if said["seed"] == 13:
        sys.exit("emorec fit: error: out of luck: choose another seed")
    last.parent.mkdir(parents=True, exist_ok=True)
    for epoch in range(said["epochs"] + 1, said["max_epochs"] + 1):
        time.sleep(PACE)
        unfinished = last.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({**said, "epochs": epoch}))
        unfinished.replace(last)
        print(
            f"Epoch {epoch}/{said['max_epochs']}  loss 2.0  {said['figure']} {said['lr']:.3f}  clips/s 9",
            flush=True,
        )
    last.with_name("best.ckpt").write_text("")


def test(words: list[str]) -> None:
    folder = Path(words[words.index("--ckpt") + 1]).parent.parent / "test"
    folder.mkdir(exist_ok=True)
    Path(folder, "metrics.json").write_text("{}")


def study(words: list[str]) -> None:
    from emorec.cli.command import one_line
    from emorec.cli.commands.study import study as real
    from emorec.errors import UserError
    from emorec.study import conduct, process, worker

    process.PROGRAM = (sys.executable, __file__)
    worker.SYNC_SECONDS = 0.2
    # the true one imports torch, and is tested by itself
    sys.modules["emorec.study.check"] = SimpleNamespace(check=list)  # type: ignore[assignment]
    setattr(conduct, "visible_gpus", list)  # noqa: B010 - it is not its own
    try:
        real(words)
    except UserError as error:
        sys.exit(f"emorec study: error: {one_line(error)}")


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    assert re.fullmatch("fit|test|study", command)
    with contextlib.suppress(BrokenPipeError):
        {"fit": fit, "test": test, "study": study}[command](rest)
