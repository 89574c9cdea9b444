"""Checks of the machine: packages, processor, memory, GPUs, disk and video decoding."""

import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from emorec.commit import source_commit
from emorec.doctor.known_problems import known_problems
from emorec.io import num_cores

MAIN_PACKAGES = (
    *("emorec", "torch", "torchvision", "lightning", "torchmetrics"),
    *("decord", "decord2", "albumentations"),
    *("numpy", "av", "opencv-python-headless", "onnxruntime", "ai-edge-litert"),
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
        facts: The rows for programs, as `emorec doctor --json` prints them: section -> names and values.
    """

    rows: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()
    failures: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


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
    packages = {name: versions[name] for name in MAIN_PACKAGES if name in versions}
    commit = source_commit()
    rows = [
        (name, f"{version} ({commit})" if name == "emorec" and commit else version)
        for name, version in packages.items()
    ]
    return Report(rows, known_problems(versions), missing, {"packages": packages, "commit": commit})


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
    facts = {
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "cpu_cores": num_cores(),
        "cpu_cores_in_all": os.cpu_count(),
        "memory_bytes": None,
    }
    rows = [
        ("python", platform.python_version()),
        ("system", platform.platform(terse=True)),
        ("CPU cores", f"{num_cores()} of {os.cpu_count()}"),
    ]
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        facts["memory_bytes"] = memory
        rows.append(("memory", f"{memory / 2**30:.1f} GiB"))
    return Report(rows, facts={"machine": facts})


def check_gpus() -> Report:
    """Show CUDA, cuDNN and the GPUs, or why torch and torchvision do not import together."""
    try:
        import torch
        import torchvision  # noqa: F401  (importing it is the test)
    except Exception as error:
        return Report(
            failures=[f"torch and torchvision do not import: {first_line(error)}"],
            facts={"gpu": None},
        )
    cudnn = _cudnn_number()
    versions = {"cudnn": cudnn_version(cudnn)} if cudnn else {}
    rows = [
        ("CUDA", torch.version.cuda or "not in this build of torch"),
        ("cuDNN", versions.get("cudnn", "not in this build of torch")),
    ]
    devices = [_gpu_facts(number) for number in range(torch.cuda.device_count())]
    rows += [(f"GPU {number}", _describe_gpu(device)) for number, device in enumerate(devices)]
    facts = {
        "cuda": torch.version.cuda,
        "cudnn": versions.get("cudnn"),
        "mps": torch.backends.mps.is_available(),
        "devices": devices,
    }
    if facts["mps"]:
        rows.append(("GPU", "Apple's (MPS)"))
    if not any(what.startswith("GPU") for what, _ in rows):
        rows.append(("GPU", "none: training runs on the CPU"))
    return Report(rows, known_problems(versions), facts={"gpu": facts})


def cudnn_version(number: int) -> str:
    """Return the version that cuDNN encodes as one number.

    >>> cudnn_version(91002), cudnn_version(8907)
    ('9.10.2', '8.9.7')
    """
    # since cuDNN 9 the major version is multiplied by 10,000
    major, rest = divmod(number, 10_000 if number >= 90_000 else 1_000)
    return f"{major}.{rest // 100}.{rest % 100}"


def _describe_gpu(device: Mapping[str, Any]) -> str:
    return (
        f"{device['name']}, {device['memory_bytes'] / 2**30:.0f} GiB, "
        f"compute capability {device['compute_capability']}, {'bf16' if device['bf16'] else 'no bf16'}"
    )


def _gpu_facts(number: int) -> dict[str, Any]:
    import torch

    card: Any = torch.cuda.get_device_properties(number)
    with torch.cuda.device(number):
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return {
        "name": card.name,
        "memory_bytes": card.total_memory,
        "compute_capability": f"{card.major}.{card.minor}",
        "bf16": bf16,
    }


def _cudnn_number() -> int | None:
    import torch

    number: int | None = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return number


def check_disk(folders: Mapping[str, Path]) -> Report:
    """Show the free disk space of each folder, or of where it will be created.

    Args:
        folders: What is written there -> the folder.
    """
    rows, warnings, facts = [], [], {}
    for what, folder in folders.items():
        resolved = folder.resolve()
        existing = next(each for each in (resolved, *resolved.parents) if each.is_dir())
        free = shutil.disk_usage(existing).free
        free_gb = free / 1e9
        facts[what.replace(" ", "_")] = {"folder": str(resolved), "free_bytes": free}
        rows.append((f"disk for {what}", f"{free_gb:.0f} GB free in {resolved}"))
        if free_gb < MIN_FREE_DISK_GB:
            warnings.append(
                f"{free_gb:.1f} GB are left for {what} in {resolved}: "
                f"a few runs take {MIN_FREE_DISK_GB:.0f} GB"
            )
    return Report(rows, warnings, facts={"disk": facts})


def check_decoder() -> Report:
    """Encode a clip of known grey levels, decode it, and compare."""
    broken = {"decoder": {"works": False}}
    greys = [20, 60, 100, 140, 180, 220]
    try:
        from emorec.data.video.reader import decode

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "greys.mp4")
            _encode(path, greys)
            clip = decode(path, range)
    except Exception as error:
        wrong = f"decoding fails: {first_line(error)}"
        return Report([("decoder", "fails")], failures=[wrong], facts=broken)
    decoded = [round(float(frame.mean())) for frame in clip.frames]
    if len(decoded) != len(greys) or any(
        abs(grey - wanted) > 4 for grey, wanted in zip(decoded, greys, strict=True)
    ):
        wrong = f"decoding gives wrong frames: grey levels {decoded} instead of {greys}"
        return Report([("decoder", "gives wrong frames")], failures=[wrong], facts=broken)
    if clip.note is not None:
        wrong = f"decord gives wrong frames ({clip.note}), PyAV takes its place"
        return Report([("decoder", "gives wrong frames")], failures=[wrong], facts=broken)
    works = "works: a clip came back as it was encoded"
    return Report([("decoder", works)], facts={"decoder": {"works": True}})


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
        problem = "" if found else "a drawn face is not found"
    except Exception as error:
        problem = first_line(error)
    facts = {"landmarks": {"works": not problem}}
    if problem:
        return Report([("landmarks", "fail")], [f"landmarks fail: {problem}"], facts=facts)
    return Report([("landmarks", "work: a drawn face was found")], facts=facts)


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
