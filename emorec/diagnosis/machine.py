"""Processor, memory and GPUs."""

import os
import platform
from typing import Any

from emorec.diagnosis.findings import Findings, first_line
from emorec.diagnosis.known_problems import known_problems


def look_at_machine() -> Findings:
    """Python, operating system, processor cores and memory."""
    # In a container, or under a batch system, a process may be given fewer cores than there are.
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    rows = [
        ("python", platform.python_version()),
        ("system", platform.platform(terse=True)),
        ("CPU cores", f"{given} of {os.cpu_count()}"),
    ]
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        rows.append(("memory", f"{memory / 2**30:.1f} GiB"))
    return Findings(rows)


def look_at_gpus() -> Findings:
    """CUDA, cuDNN and the GPUs, or why torch and torchvision do not import together."""
    try:
        import torch
        import torchvision  # noqa: F401  (importing it is the test)
    except Exception as error:
        return Findings(failures=[f"torch and torchvision do not import: {first_line(error)}"])
    cudnn = _cudnn_number()
    versions = {"cudnn": cudnn_version(cudnn)} if cudnn else {}
    rows = [
        ("CUDA", torch.version.cuda or "not in this build of torch"),
        ("cuDNN", versions.get("cudnn", "not in this build of torch")),
    ]
    rows += [(f"GPU {number}", _gpu(number)) for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        rows.append(("GPU", "Apple's (MPS)"))
    if not any(what.startswith("GPU") for what, _ in rows):
        rows.append(("GPU", "none: training runs on the CPU"))
    return Findings(rows, known_problems(versions))


def cudnn_version(number: int) -> str:
    """The version that cuDNN writes as one number.

    >>> cudnn_version(91002), cudnn_version(8907)
    ('9.10.2', '8.9.7')
    """
    # From 9 on a digit more is kept for the major version.
    major, rest = divmod(number, 10_000 if number >= 90_000 else 1_000)
    return f"{major}.{rest // 100}.{rest % 100}"


def _gpu(number: int) -> str:
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
