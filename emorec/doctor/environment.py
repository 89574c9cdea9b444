"""Checks of the machine: packages, processor, memory, GPUs, disk and video decoding."""

import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from emorec.doctor.known_problems import known_problems
from emorec.io import num_cores

MAIN_PACKAGES = (
    *("emorec", "torch", "torchvision", "lightning", "torchmetrics"),
    *("decord", "decord2", "albumentations"),
)

MIN_FREE_DISK_GB = 5.0
"""A run keeps two checkpoints of up to 0.4 GB each: a few runs, and the weights they start from."""


@dataclass(frozen=True, slots=True)
class Report:
    """Result of one check.

    Attributes:
        rows: Names and values to show.
        warnings: What may go wrong, though emorec runs.
        failures: What is missing or does not work.
    """

    rows: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()
    failures: Sequence[str] = ()


def first_line(error: Exception) -> str:
    r"""Return the type and the first line of an exception.

    >>> first_line(RuntimeError("operator torchvision::nms does not exist\nat ..."))
    'RuntimeError: operator torchvision::nms does not exist'
    """
    return f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0]


def installed_versions() -> dict[str, str]:
    """Return package names, as pip normalises them, with their installed versions."""
    return {str(canonicalize_name(each.name)): each.version for each in distributions()}


def check_packages(versions: Mapping[str, str]) -> Report:
    """Show the main packages; report unmet requirements and versions with known problems.

    Args:
        versions: Package name to installed version.
    """
    try:
        missing = unmet_requirements(requires("emorec") or [], versions)
    except PackageNotFoundError:
        missing = ["emorec is not installed, only its source is here: run make install"]
    rows = [(name, versions[name]) for name in MAIN_PACKAGES if name in versions]
    return Report(rows, known_problems(versions), missing)


def unmet_requirements(requirements: list[str], versions: Mapping[str, str]) -> list[str]:
    """Return one line for each requirement that no installed version meets.

    Requirements of other platforms and of extras do not count.

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
            # floor first, as pip writes it
            wanted = ",".join(sorted(map(str, requirement.specifier), reverse=True))
            unmet.append(
                f"{requirement.name} is {version or 'not installed'}, emorec needs {wanted}"
            )
    return unmet


def check_machine() -> Report:
    """Show Python, operating system, processor cores and memory."""
    rows = [
        ("python", platform.python_version()),
        ("system", platform.platform(terse=True)),
        ("CPU cores", f"{num_cores()} of {os.cpu_count()}"),
    ]
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        rows.append(("memory", f"{memory / 2**30:.1f} GiB"))
    return Report(rows)


def check_gpus() -> Report:
    """Show CUDA, cuDNN and the GPUs, or why torch and torchvision do not import together."""
    try:
        import torch
        import torchvision  # noqa: F401  (importing it is the test)
    except Exception as error:
        return Report(failures=[f"torch and torchvision do not import: {first_line(error)}"])
    cudnn = _cudnn_number()
    versions = {"cudnn": cudnn_version(cudnn)} if cudnn else {}
    rows = [
        ("CUDA", torch.version.cuda or "not in this build of torch"),
        ("cuDNN", versions.get("cudnn", "not in this build of torch")),
    ]
    rows += [
        (f"GPU {number}", _describe_gpu(number)) for number in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        rows.append(("GPU", "Apple's (MPS)"))
    if not any(what.startswith("GPU") for what, _ in rows):
        rows.append(("GPU", "none: training runs on the CPU"))
    return Report(rows, known_problems(versions))


def cudnn_version(number: int) -> str:
    """Return the version that cuDNN encodes as one number.

    >>> cudnn_version(91002), cudnn_version(8907)
    ('9.10.2', '8.9.7')
    """
    # since cuDNN 9 the major version is multiplied by 10,000
    major, rest = divmod(number, 10_000 if number >= 90_000 else 1_000)
    return f"{major}.{rest // 100}.{rest % 100}"


def _describe_gpu(number: int) -> str:
    import torch

    card: Any = torch.cuda.get_device_properties(number)
    with torch.cuda.device(number):
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return (
        f"{card.name}, {card.total_memory / 2**30:.0f} GiB, "
        f"compute capability {card.major}.{card.minor}, {'bf16' if bf16 else 'no bf16'}"
    )


def _cudnn_number() -> int | None:
    import torch

    number: int | None = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return number


def check_disk(folders: Mapping[str, Path]) -> Report:
    """Show the free disk space of each folder, or of where it will be created.

    Args:
        folders: What is written there -> the folder.
    """
    rows, warnings = [], []
    for what, folder in folders.items():
        resolved = folder.resolve()
        existing = next(each for each in (resolved, *resolved.parents) if each.is_dir())
        free_gb = shutil.disk_usage(existing).free / 1e9
        rows.append((f"disk for {what}", f"{free_gb:.0f} GB free in {resolved}"))
        if free_gb < MIN_FREE_DISK_GB:
            warnings.append(
                f"{free_gb:.1f} GB are left for {what} in {resolved}: "
                f"a few runs take {MIN_FREE_DISK_GB:.0f} GB"
            )
    return Report(rows, warnings)


def check_decoder() -> Report:
    """Encode a clip of known grey levels, decode it, and compare."""
    greys = [20, 60, 100, 140, 180, 220]
    try:
        from emorec.data.video.reader import decode

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "greys.mp4")
            _encode(path, greys)
            clip = decode(path, range)
    except Exception as error:
        return Report([("decoder", "fails")], failures=[f"decoding fails: {first_line(error)}"])
    decoded = [round(float(frame.mean())) for frame in clip.frames]
    if len(decoded) != len(greys) or any(
        abs(grey - wanted) > 4 for grey, wanted in zip(decoded, greys, strict=True)
    ):
        wrong = f"decoding gives wrong frames: grey levels {decoded} instead of {greys}"
        return Report([("decoder", "gives wrong frames")], failures=[wrong])
    if clip.note is not None:
        wrong = f"decord gives wrong frames ({clip.note}), PyAV takes its place"
        return Report([("decoder", "gives wrong frames")], failures=[wrong])
    return Report([("decoder", "works: a clip came back as it was encoded")])


def check_landmarks() -> Report:
    """Draw a face and look for its landmarks; without LiteRT, networks of frames and sound still work."""
    try:
        from emorec.data.landmarks import FaceLandmarker
        from emorec.data.sets.ravdess.parser import RavdessName
        from emorec.data.synthetic.clips import draw_clip
        from emorec.data.synthetic.settings import ClipSettings

        settings = ClipSettings(width=160, height=160, num_frames=1, sound=False)
        drawn = draw_clip(RavdessName.parse("01-01-01-01-01-01-01"), settings)
        found = FaceLandmarker()(drawn)["present"].all()
    except Exception as error:
        return Report([("landmarks", "fail")], warnings=[f"landmarks fail: {first_line(error)}"])
    if not found:
        return Report(
            [("landmarks", "fail")], warnings=["landmarks fail: a drawn face is not found"]
        )
    return Report([("landmarks", "work: a drawn face was found")])


def _encode(path: Path, greys: Sequence[int]) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for grey in greys:
            picture = np.full((64, 64, 3), grey, dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
