"""What is explained in one line, and what keeps its traceback."""

import errno

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from emorec.cli.mishaps import explained, explained_while_made
from emorec.errors import UserError


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("no clip"), "no clip"),
        (caused(RuntimeError("outer"), UserError("no clip")), "no clip"),
        (MisconfigurationException("two\nlines"), "two lines"),
        (torch.OutOfMemoryError("CUDA"), "try a smaller --data.batch_size"),
        (OSError(errno.ENOSPC, "No space left on device"), "can't use the disk: No space left"),
        (PermissionError(13, "Permission denied", "/a/b"), "can't use /a/b: Permission denied"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "memory"),
    ],
)
def test_what_a_user_can_mend_is_explained_in_one_line(error: Exception, said: str) -> None:
    explanation = str(explained(error))
    assert said in explanation
    assert "\n" not in explanation


@pytest.mark.parametrize(
    "error", [RuntimeError("shape mismatch"), KeyError("x"), ValueError("x"), OSError("odd")]
)
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    assert explained(error) is None


def test_weights_of_another_network_are_explained() -> None:
    with pytest.raises(RuntimeError) as misfit:
        torch.nn.Linear(2, 2).load_state_dict({"bias": torch.zeros(3)})
    assert "do not fit its network" in str(explained(misfit.value))


def test_of_what_jsonargparse_wraps_up_a_chosen_value_is_explained_and_a_bug_comes_out() -> None:
    bug = KeyError("x")
    assert str(explained_while_made(caused(ValueError("long"), ValueError("p is 2")))) == "p is 2"
    assert isinstance(explained_while_made(caused(ValueError(), ValueError("p is 2"))), UserError)
    assert explained_while_made(caused(ValueError("long"), bug)) is bug
