"""What an exported file says of itself, for emorec and for engineers who use it without emorec."""

from collections.abc import Sequence

from emorec.image_size import format_size, size_before_crop
from emorec.inference.facts import Facts
from emorec.inference.precision import Precision

FACTS = "emorec"
"""The key of what emorec itself reads; all others are for people."""


def metadata(
    facts: Facts, precision: Precision, statistics: Sequence[Sequence[float]]
) -> dict[str, str]:
    """Key -> text, for the metadata of an exported file.

    Args:
        facts: What there is to know of the network.
        precision: Of its weights.
        statistics: Mean and standard deviation of red, green and blue that it subtracts and divides by, from 0 to 1.
    """
    output, meaning = output_of(facts)
    return {
        FACTS: facts.to_json(),
        "network": facts.network,
        "class_names" if facts.says == "classes" else "number_names": ",".join(facts.names),
        **{f"input_{name}": text for name, text in inputs_of(facts).items()},
        f"output_{output}": meaning,
        **({"normalization": normalization(statistics)} if facts.sees else {}),
        "precision": f"weights {precision}, output float32",
        "split_hash": str(facts.split.get("hash", "unknown")),
        "checkpoint_sha256": facts.checkpoint_sha256,
        "licence": facts.licence,
    }


def normalization(statistics: Sequence[Sequence[float]]) -> str:
    """What the network does to pixels before all else, in words.

    >>> normalization([[0.5, 0.5, 0.5], [0.2, 0.2, 0.2]])
    'inside the network: (pixel / 255 - mean) / std with mean 0.5, 0.5, 0.5 and std 0.2, 0.2, 0.2'
    """
    mean, std = (", ".join(f"{value:g}" for value in values) for values in statistics)
    return f"inside the network: (pixel / 255 - mean) / std with mean {mean} and std {std}"


def inputs_of(facts: Facts) -> dict[str, str]:
    """What each input is, in words."""
    size, seconds = format_size(facts.image_size), f"{facts.window_seconds:g} s"
    height, width = facts.image_size
    whole = {
        "shorter_side": "the central part of the picture, of these proportions",
        "squash": "all of the picture, squashed into these proportions",
    }[facts.resize]
    several = f", evenly spaced over about {seconds}, first and last included" * (
        facts.num_frames > 1
    )
    around = "what is around the face (emorec's margin), of these proportions"
    words = {
        "frames": (
            f"uint8 (batch, {facts.num_frames}, {height}, {width}, 3), RGB{several}, of each frame "
            f"{around if facts.face else whole}, scaled to "
            f"{format_size(size_before_crop(facts.image_size))} pixels and "
            f"cropped to the central {size}; values 0 to 255 as decoded, normalization is inside the network"
        ),
        "sound": (
            f"float32 (batch, {facts.sound_samples}): one channel at {facts.sound_rate} "
            f"samples a second, from -1 to 1, the middle {facts.sound_seconds:g} s of the window; its spectrogram is "
            "inside the network"
        ),
        "heard": "bool (batch,): whether the window has sound; where not, sound is zeros",
    }
    return {name: words[name] for name in facts.inputs}


def output_of(facts: Facts) -> tuple[str, str]:
    """The output's name and what it is, in words."""
    names = ", ".join(facts.names)
    if facts.says == "numbers":
        return "numbers", f"float32 (batch, {len(facts.names)}): {names}"
    calibrated = "calibrated" if facts.temperature else "not calibrated"
    return (
        "probabilities",
        f"float32 (batch, {len(facts.names)}): of {names}; 1 in all, {calibrated}",
    )
