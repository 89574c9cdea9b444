"""The device on which torch runs a trained network."""

import torch

from emorec.errors import UserError


def choose_device(device: str | None) -> torch.device:
    """Return a device that torch can use on this machine.

    Args:
        device: Such as "cuda", "cuda:1" or "cpu"; by default a GPU where there is one.

    Raises:
        UserError: When there is no such device.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    try:
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"device is {device}, which this machine or torch does not have: "
            f"choose {' or '.join(['cpu', *gpus])} ({reason})"
        ) from None
    return chosen
