"""What a run does not say of its network, each with what would tell it; and what to mind in what it says."""

import shlex

from emorec.card.network import NetworkFacts
from emorec.card.tested import SENSES, Tested
from emorec.checkpoint import Checkpoint
from emorec.data.split import SIDES
from emorec.evaluation.predictions_file import PredictedClips

FEW_ACTORS = 20
"""Below so many an interval is a rough one, see `evaluation/intervals.py`."""

RAVDESS = "emorec.data.RavdessDataModule"
TAKES = {"speech": 60, "song": 44, "both": 104}
"""Of an actor of RAVDESS, by channel."""

CROSSED = {
    RAVDESS: ". A cross-validation tests all actors (--data.split msaf6)",
    "emorec.data.IemocapDataModule": ". A cross-validation tests all actors (--data.split loso5)",
}
"""By data module: the split with which everybody is tested once."""

AMONG_ITS_OWN = (
    "A probability says how sure the network is among its own classes: "
    "a face that shows none of them gets one too"
)

NOT_RECORDED = (
    ("who trained it, and whom to ask", "write it here: no run knows it"),
    ("when it was trained", "the dates of the files in the run's folder"),
)
OTHERS = "other people, other cameras, feelings that nobody acts"


def missing(
    said: Checkpoint, network: NetworkFacts, tested: Tested | None, here: str
) -> list[tuple[str, str]]:
    """What is not measured or not recorded, each with the command that would tell it, as Markdown.

    Args:
        said: What the checkpoint says.
        network: What it is.
        tested: Its test, if there was one.
        here: The checkpoint's path from its run's folder.
    """
    ckpt = shlex.quote(here)
    lines: list[tuple[str, str]] = []
    if tested is None:
        lines.append(("every figure", f"`emorec test --ckpt {ckpt}`"))
    if network.says_classes and not _is_calibrated(tested):
        fit = (
            "" if 1 in said.temperatures else f"`emorec validate --ckpt {ckpt} --calibrate`, then "
        )
        how = f"{fit}`emorec test --ckpt {ckpt} --calibrate`"
        lines.append(("how sure it may be (calibrated probabilities)", how))
    if network.hears and network.sees:
        lines += [
            (f"what it does without {sense}", f"`emorec test --ckpt {ckpt} --drop {sense}`")
            for sense in SENSES
            if tested is None or sense not in tested.without
        ]
    if "torch" not in said.environment:
        lines.append(
            ("versions of Python, torch and Lightning", "train it anew: this emorec records them")
        )
    lines.append(
        (
            "what another training of the same settings gives",
            "`emorec study configs/studies/seeds.yaml`, and `emorec compare`",
        )
    )
    where = (
        "--data CSVDataModule --data.root clips.csv" if network.says_classes else "--data.root DIR"
    )
    return [
        *lines,
        *NOT_RECORDED,
        (OTHERS, f"test it on labelled clips of them: `{where}`"),
        ("how fast it is in use", f"`emorec bench --model {ckpt}`"),
    ]


def other_clips(said: Checkpoint) -> str:
    """What to add to RAVDESS's name where the clips can't be all of its clips; empty where they can."""
    counts = said.split.get("num_clips")
    if said.data["class_path"] != RAVDESS or not counts:
        return ""
    data = said.data["init_args"]
    files = 2 if data.get("modality") == "both" else 1
    promised = files * TAKES[data.get("channel", "speech")]
    people = [actor for side in SIDES if counts[side] for actor in said.split[side]]
    if data.get("channel") in ("song", "both") and 18 in people:
        return ""  # who did not sing
    if (found := sum(counts.values())) == promised * len(people):
        return ""
    return (
        f" or clips laid out like it ({found:,} clips of {len(people)} people, of whom RAVDESS has "
        f"{promised * len(people):,})"
    )


def _is_calibrated(tested: Tested | None) -> bool:
    return (
        tested is not None
        and isinstance(tested.predicted, PredictedClips)
        and tested.predicted.calibrated is not None
    )


def caveats(said: Checkpoint, network: NetworkFacts, tested: Tested | None) -> list[str]:
    """What to mind, without full stops at the end."""
    lines = []
    if tested is not None:
        number = len(tested.actors)
        if tested.whom == "1 person":
            lines.append(
                "One person was tested: that says nothing about others, and there are no intervals"
            )
        elif number < FEW_ACTORS:
            lines.append(
                f"{tested.whom} were tested: intervals are wide and rough, and what these share by chance "
                f"looks like skill{CROSSED.get(said.data['class_path'], '')}"
            )
        if (views := tested.metrics.get("views", 1)) > 1:
            lines.append(f"The figures average {views} views of each clip; one view does less well")
    return [
        *lines,
        "One training is one draw: another seed gives other figures, which these intervals do not hold",
        "Those of the test were filmed like those of the training: expect less of other cameras, light and people",
        *([AMONG_ITS_OWN] if network.says_classes else []),
        "Show people what was predicted together with this card, and never without saying that it is often wrong",
    ]
