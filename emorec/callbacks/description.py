"""What a run works with, in words: a line for the terminal, a page for TensorBoard."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from emorec.checkpoint import class_path
from emorec.data.split import SIDES
from emorec.image_size import format_frames
from emorec.models.cost import gflops_per_clip, num_parameters
from emorec.models.network import ClipNetwork

MOST_NAMED = 24
"""People whom a line names; where there are more it names the first ones. Checkpoints hold them all."""


def describe_network(network: ClipNetwork) -> str:
    """One line that tells what is trained and what it costs."""
    return (
        f"network {class_path(type(network))}: {num_parameters(network):,} parameters, "
        f"{_num_trained(network):,} trained; {gflops_per_clip(network):.2f} GFLOPs a clip"
    )


def network_page(network: ClipNetwork) -> str:
    """The same in Markdown, part by part."""
    parts = {name: part for name, part in network.named_children() if num_parameters(part)}
    rows = [
        f"| {name} | {num_parameters(part):,} | {_num_trained(part):,} |"
        for name, part in {**parts, "**all**": network}.items()
    ]
    clip = format_frames(network.num_frames, network.image_size)
    cost = f"{gflops_per_clip(network):.2f} GFLOPs (multiply-adds) for a clip of {clip}"
    table = ["| part | parameters | trained |", "|---|--:|--:|", *rows]
    return "\n\n".join([f"**{class_path(type(network))}**", "\n".join(table), cost])


def _num_trained(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters() if weights.requires_grad)


def describe_split(split: Mapping[str, Any]) -> str:
    """One line that tells who trains, validates and is kept for the test.

    >>> describe_split({"name": "mine", "fold": None, "train": [1, 2], "val": [3], "test": [4], "hash": "ab",
    ...                 "num_clips": {"train": 120, "val": 60, "test": 60}, "skipped": []})
    'split mine: actors 1-2 train (120 clips), 3 val (60), 4 test (60); clip list ab'
    """
    train, val, test = (
        f"{spans(split[side])} {side} ({split['num_clips'][side]}"
        for side in ("train", "val", "test")
    )
    more = "".join(f"; {remark}" for remark in remarks(split))
    whose = split.get("whose", "actors")
    return (
        f"{_name(split)}: {whose} {train} clips), {val}), {test}); clip list {split['hash']}{more}"
    )


def split_page(split: Mapping[str, Any]) -> str:
    """The same in Markdown."""
    rows = [f"| {side} | {spans(split[side])} | {split['num_clips'][side]} |" for side in SIDES]
    table = [f"| side | {split.get('whose', 'actors')} | clips |", "|---|---|--:|", *rows]
    heading = f"**{_name(split)}**, clip list {split['hash']}"
    return "\n\n".join([heading, "\n".join(table), *remarks(split)])


def remarks(split: Mapping[str, Any]) -> list[str]:
    """What became of clips, where anything did."""
    remarks = []
    if both := [person for person in split["test"] if person in split["train"]]:
        remarks.append(f"LEAK: {spans(both)} train and are tested")
    if split["skipped"]:
        remarks.append(f"left out: {', '.join(split['skipped'])}")
    if split.get("face_detector"):
        faceless = split["faceless"]
        but = f" (none found, so their centre: {', '.join(faceless)})" if faceless else ""
        remarks.append(f"faces found by {split['face_detector']}{but}")
    return remarks


def _name(split: Mapping[str, Any]) -> str:
    fold = f" fold {split['fold']}" if split["fold"] is not None else ""
    return f"split {split['name']}{fold}"


MAX_SPANS = 12
"""Never more among 24 actors; a data set that names nobody has a person a clip."""


def spans(actors: Sequence[int | str]) -> str:
    """Actors, those who follow each other as a span; the first few and a count where there are many.

    >>> spans([1, 2, 3, 5, 21, 22])
    '1-3, 5, 21-22'
    >>> spans(["Ann", "Bo"])
    'Ann, Bo'
    >>> spans([f"{number}.mp4" for number in range(1000)])
    '0.mp4, 1.mp4, 2.mp4 and 997 more'
    """
    runs: list[list[int | str]] = []
    for actor in actors:
        before = runs[-1][-1] if runs else None
        if isinstance(actor, int) and isinstance(before, int) and actor == before + 1:
            runs[-1].append(actor)
        else:
            runs.append([actor])
    named = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    if len(named) <= MAX_SPANS:
        return ", ".join(named)
    return f"{', '.join(named[:3])} and {sum(map(len, runs[3:]))} more"
