"""Errors that become one line, and errors that keep their traceback."""

import errno

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from emorec.cli.errors import user_message
from emorec.errors import UserError


def with_cause(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UserError("no clip"), "no clip"),
        (with_cause(RuntimeError("outer"), UserError("no clip")), "no clip"),
        (MisconfigurationException("two\nlines"), "two lines"),
        (UserError("Caught E in worker 0.\nOriginal Traceback\na.E: broken: x"), "broken: x"),
        (torch.OutOfMemoryError("CUDA"), "try a smaller --data.batch_size"),
        (OSError(errno.ENOSPC, "No space left on device"), "can't use the disk: No space left"),
        (PermissionError(13, "Permission denied", "/a/b"), "can't use /a/b: Permission denied"),
        (
            ValueError("Expected more than 1 value per channel when training, got input size [1]"),
            "choose a --data.batch_size above 1",
        ),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "memory"),
    ],
)
def test_a_user_error_becomes_one_line(error: Exception, expected: str) -> None:
    message = user_message(error)
    assert message is not None
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "error", [RuntimeError("shape mismatch"), KeyError("x"), ValueError("x"), OSError("odd")]
)
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    assert user_message(error) is None


def test_weights_of_another_network_become_one_line() -> None:
    with pytest.raises(RuntimeError) as error_info:
        torch.nn.Linear(2, 2).load_state_dict({"bias": torch.zeros(3)})
    assert "do not fit its network" in str(user_message(error_info.value))
