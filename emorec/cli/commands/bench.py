"""`emorec bench`: where the time of a training goes, and what the ways of keeping frames cost."""

import json
from collections.abc import Sequence

from emorec.cli.function_parser import FunctionParser
from emorec.cli.places import function_at
from emorec.errors import UserError

PARTS = {
    "storage": (
        "Compare the ways of keeping decoded frames: disk, writing, reading.",
        "emorec.bench.storage:storage",
    ),
    "memory": (
        "Watch whether memory stays flat over many clips and epochs.",
        "emorec.bench.memory:memory",
    ),
    "scale": (
        "Measure whether the time grows in proportion to the clips.",
        "emorec.bench.scale:scale",
    ),
}
"""Further measurements, which need no network: one line, and the function that does it."""

RUNTIMES = (
    "Compare what runs a trained network: torch, ONNX Runtime, torch.export.",
    "emorec.bench.runtimes:runtimes",
)
"""What `--model` asks for when it names files: one line, and the function that does it."""

MODEL_FILES = (".ckpt", ".onnx", ".pt2")
"""How they end."""

HELP = """\
usage: emorec bench [--config FILE] [options]
       emorec bench storage|memory|scale [options]
       emorec bench --model FILE [--model FILE ...] [options]

Measure where the time of a training goes: decoding, cache, loader, copying,
network, and all of it together, side by side and in turns. Nothing is trained
or saved, and no weights are loaded: a step takes as long with any.

  -c, --config FILE       Of an experiment, as for emorec fit
  --data.root DIR         Where RAVDESS was unzipped; else clips are drawn
  --data.num_workers N    And all other options of emorec fit
  --seconds S             How long each stage is measured in a round (2)
  --rounds N              How often all stages are measured (3); medians count
  --baseline              Measure what people do without a cache, too: JPEG
                          files and PIL; OpenCV, PyAV, torchcodec on the fly
  --originals DIR         Folder of videos for --baseline to decode, such as
                          RAVDESS as it is distributed
  --out FILE              JSON file, replaced (lightning_logs/bench.json)

emorec bench --help-all lists every option.
emorec bench storage, memory and scale need no network; --help tells more.
emorec bench --model best.ckpt compares torch, ONNX Runtime and torch.export;
name exported files (.onnx, .pt2) to compare those.
"""


def bench(words: Sequence[str]) -> None:
    """Measures what the words after `emorec bench` ask for.

    Args:
        words: As they were typed.

    Raises:
        UserError: For a mistake of the user.
        SystemExit: After the help.
    """
    part = words[0] if words and not words[0].startswith("-") else None
    if part is not None and part not in PARTS:
        raise UserError(f"no measurement {part!r}: emorec bench, or emorec bench {'|'.join(PARTS)}")
    if part is not None:
        line, place = PARTS[part]
        FunctionParser(f"bench {part}", line, function_at(place)).call(words[1:])
        return
    files, others = model_files(words)
    if files:
        line, place = RUNTIMES
        FunctionParser("bench", line, function_at(place)).call(
            [*others, f"--model={json.dumps(files)}"]
        )
        return
    if set(words) & {"-h", "--help"}:
        print(HELP, end="")
        raise SystemExit(0)
    from emorec.bench.experiment import run  # late: it imports torch and Lightning

    run(["--help" if word == "--help-all" else word for word in words])


def model_files(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What `--model` names where one of it is a file, and all other words; a network's class is no file.

    >>> model_files(["--model", "best.ckpt", "--rounds", "2", "--model=best.onnx"])
    (['best.ckpt', 'best.onnx'], ['--rounds', '2'])
    >>> model_files(["--model", "emorec.models.CNN3D"])
    ([], ['--model', 'emorec.models.CNN3D'])
    """
    models, others, left = [], [], list(words)
    while left:
        word = left.pop(0)
        if word == "--model" and left:
            models.append(left.pop(0))
        elif word.startswith("--model="):
            models.append(word.removeprefix("--model="))
        else:
            others.append(word)
    files = any(name.endswith(MODEL_FILES) for name in models)
    return (models, others) if files else ([], list(words))
