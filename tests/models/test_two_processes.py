"""Distributed runs of two forked processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.nightly  # tests/test_distributed.py trains with two processes by day
def test_two_processes_equal_one_log_metrics_and_stop_together() -> None:
    # a fork of this process would copy the locks that threads of earlier tests may hold
    environment = {key: value for key, value in os.environ.items() if "XDIST" not in key}
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            Path(__file__).with_name("forked.py"),
            "-p",
            "no:xdist",
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    assert run.returncode == 0, run.stdout
    assert "3 passed" in run.stdout
