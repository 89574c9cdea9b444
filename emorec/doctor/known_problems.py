"""Combinations of versions with known problems."""

from collections.abc import Mapping
from typing import NamedTuple

from packaging.specifiers import SpecifierSet


class Problem(NamedTuple):
    """What goes wrong when each of some packages is installed in one of these versions.

    Attributes:
        versions: Package name to the versions it takes, as pip writes them ("" is any version).
        message: What goes wrong and what to do.
    """

    versions: Mapping[str, str]
    message: str


_UNFIT = "they do not fit (operator torchvision::nms does not exist): upgrade both"

PROBLEMS: tuple[Problem, ...] = (
    # Source: pytorch#166122, #166643, #163539, #174051.
    Problem(
        {"torch": "==2.9.*"},
        "Conv3d with AMP takes 4 times the time and 3 times the memory: use 2.11 or later",
    ),
    Problem(
        {"cudnn": ">=9.8,<9.11"},
        "bf16 Conv3d can be wrong without an error: use cuDNN 9.15 or later, or another precision",
    ),
    # Until 0.28 torchvision pins torch exactly.
    Problem({"torchvision": "==0.26.*", "torch": "!=2.11.*"}, _UNFIT),
    Problem({"torchvision": "==0.27.*", "torch": "!=2.12.*"}, _UNFIT),
    Problem({"torchvision": "==0.28.*", "torch": "!=2.13.*"}, _UNFIT),
    Problem({"torchvision": ">=0.29", "torch": "<2.14"}, _UNFIT),
    Problem(
        {"lightning": ">=2.6.2,<2.6.4"},
        "2.6.2 and 2.6.3 were malware: remove it, change the passwords and tokens kept on this "
        "machine, and install 2.6.6 or later",
    ),
    Problem(
        {"lightning": ">=2.6.4,<2.6.6"},
        "a checkpoint can run code when it is loaded (CVE-2026-58659): use 2.6.6 or later",
    ),
    Problem(
        {"decord": "", "decord2": ""},
        "they overwrite each other's files: remove both, then install emorec again",
    ),
    Problem(
        {"opencv-python-headless": "==5.0.0.93"},
        "it bundles an FFmpeg with CVE-2026-8461: use a version below 5",
    ),
    Problem(
        {"tensorboard": "<2.21", "setuptools": ">=82"},
        "this tensorboard needs pkg_resources, which setuptools 82 dropped: use tensorboard 2.21",
    ),
)


def known_problems(versions: Mapping[str, str]) -> list[str]:
    """Return one line for each known problem of the installed versions.

    Args:
        versions: Package name to installed version; cuDNN counts as a package, "cudnn".

    >>> known_problems({"torch": "2.15.0", "torchvision": "0.29.2", "lightning": "2.6.6"})
    []
    >>> known_problems({"tensorboard": "2.20.0", "setuptools": "82.0.1"})
    ['tensorboard 2.20.0 with setuptools 82.0.1: this tensorboard needs pkg_resources, ...]
    """
    found = []
    for problem in PROBLEMS:
        if all(
            name in versions and SpecifierSet(wanted).contains(versions[name], prereleases=True)
            for name, wanted in problem.versions.items()
        ):
            named = " with ".join(f"{name} {versions[name]}" for name in problem.versions)
            found.append(f"{named}: {problem.message}")
    return found
