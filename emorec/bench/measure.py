"""A training that is measured instead of finished."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from lightning.pytorch import Trainer

from emorec.bench.baselines import baseline_stages
from emorec.bench.circumstances import device_name, load_average, machine, setting
from emorec.bench.drawn import drawn_clips, needs_drawn_clips
from emorec.bench.report import Report
from emorec.bench.rounds import Rounds
from emorec.bench.stages import Stage, files_source, loading_stages
from emorec.data import ClipDataModule
from emorec.data.clip import Clip
from emorec.errors import UserError
from emorec.models import ClipNetwork

ORDER = (
    "decode",
    "decode_workers",
    "cache_read",
    "read",
    "loader",
    "host_to_device",
    "network",
    "end_to_end",
)
"""The way of a clip; what it is compared with comes after it."""


def measure(
    trainer: Trainer,
    model: ClipNetwork,
    data: ClipDataModule,
    *,
    seconds: float,
    rounds: int,
    baseline: bool = False,
    filmed: Sequence[Clip] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """How fast each part of a training is.

    Args:
        trainer: Fresh, without an end of its own.
        model: What it would train.
        data: What it would train on; clips are drawn where nobody has said where RAVDESS is.
        seconds: For each stage of a round, at least.
        rounds: How often all stages are measured.
        baseline: Measure what people do without a cache, too.
        filmed: Videos to decode instead of the training's clips.
        say: Is told what is done now; nothing, when others speak.

    Raises:
        UserError: When there are no clips.
    """
    load = load_average()  # of others: later it is our own
    with ExitStack() as stack:
        drawn = False
        if needs_drawn_clips(data):
            drawn = True
            say("drawing clips")
            stack.enter_context(drawn_clips(data))
            say("")
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="emorec-bench-")))

        def stages(data: ClipDataModule) -> list[Stage]:
            if baseline and files_source(data):
                raise UserError(
                    "--baseline compares ways of decoding videos, and these clips are none: leave it out"
                )
            videos = filmed or data.sides["train"]
            others = baseline_stages(data, videos, folder) if baseline else []
            return [*loading_stages(data, videos), *others]

        turns = Rounds(stages, seconds=seconds, rounds=rounds, say=say)
        trainer.callbacks.append(turns)  # type: ignore[attr-defined]
        device = device_name(trainer.strategy.root_device)
        trainer.fit(model, datamodule=data)
        return Report(
            machine=machine() | {"device": device, "load_average": load},
            setting=setting(trainer, model, data) | {"drawn": drawn},
            speeds=turns.speeds,
            words={
                name: turns.words[name] for name in (*ORDER, *turns.words) if name in turns.words
            },
            busy=turns.busy,
        )
