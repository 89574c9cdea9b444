"""What tests everywhere may ask for."""

import os
from pathlib import Path

import pytest

# Workers and processes that tests start share few cores: each takes one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def ravdess_root() -> Path:
    """The folder of the real clips; tests that ask for it are marked `real`."""
    root = os.environ.get("EMOREC_RAVDESS_ROOT")
    if not root:
        pytest.skip("EMOREC_RAVDESS_ROOT does not name a folder of RAVDESS clips")
    return Path(root)
