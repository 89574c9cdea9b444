"""Checks of the installation, the machine and the data, as `emorec doctor` shows them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emorec.doctor.datasets import check_csv, check_iemocap, check_ravdess, is_csv
from emorec.doctor.environment import (
    Report,
    check_decoder,
    check_disk,
    check_gpus,
    check_landmarks,
    check_machine,
    check_packages,
    installed_versions,
)
from emorec.io import cache_folder


def run_checks(data_root: str | None) -> list[Report]:
    """Run all checks.

    Args:
        data_root: The folder of RAVDESS, or a CSV file of clips.
    """
    folders = {
        "runs": Path("lightning_logs"),
        "weights": _weights_folder(),
        "decoded frames": cache_folder(),
    }
    return [
        check_packages(installed_versions()),
        check_machine(),
        check_gpus(),
        check_decoder(),
        check_landmarks(),
        check_disk(folders),
        check_csv(data_root) if data_root and is_csv(data_root) else check_ravdess(data_root),
        check_iemocap(os.environ.get("EMOREC_IEMOCAP_ROOT")),
    ]


def facts_of(reports: Sequence[Report]) -> dict[str, Any]:
    """Return what all checks found, for `emorec doctor --json`; keys are only ever added."""
    sections = {name: value for report in reports for name, value in report.facts.items()}
    return {
        **dict.fromkeys(("ravdess", "csv", "iemocap")),
        **sections,
        "warnings": [line for report in reports for line in report.warnings],
        "errors": [line for report in reports for line in report.failures],
    }


def _weights_folder() -> Path:
    try:
        from torch.hub import get_dir
    except Exception:  # check_gpus reports why
        return Path("~/.cache/torch/hub").expanduser()
    return Path(get_dir())
