"""Installed packages against those that emorec needs."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from emorec.diagnosis.findings import Findings
from emorec.diagnosis.known_problems import known_problems

SHOWN = (
    "emorec",
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "decord",
    "decord2",
    "albumentations",
)


def installed_versions() -> dict[str, str]:
    """Package name, as pip normalises it, to installed version."""
    return {str(canonicalize_name(each.name)): each.version for each in distributions()}


def look_at_packages(versions: Mapping[str, str]) -> Findings:
    """The packages that matter most, what emorec lacks, and which versions are known to go wrong.

    Args:
        versions: Package name to installed version.
    """
    try:
        missing = unmet_requirements(requires("emorec") or [], versions)
    except PackageNotFoundError:
        missing = ["emorec is not installed, only its source is here: run make install"]
    rows = [(name, versions[name]) for name in SHOWN if name in versions]
    return Findings(rows, known_problems(versions), missing)


def unmet_requirements(requirements: list[str], versions: Mapping[str, str]) -> list[str]:
    """One line for each requirement that no installed version meets.

    A requirement of another platform, or of an extra, is not asked for.

    Args:
        requirements: As a package's metadata states them.
        versions: Package name to installed version.

    >>> wanted = ["numpy>=1.26", "rich>=13.9", "winloop; sys_platform == 'none'"]
    >>> unmet_requirements(wanted, {"numpy": "1.25.2"})
    ['numpy is 1.25.2, emorec needs >=1.26', 'rich is not installed, emorec needs >=13.9']
    """
    unmet = []
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = versions.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            # The range is shown as pip would read it, floor first.
            wanted = ",".join(sorted(map(str, requirement.specifier), reverse=True))
            unmet.append(
                f"{requirement.name} is {version or 'not installed'}, emorec needs {wanted}"
            )
    return unmet
