"""Several looks at each clip when a network is measured: what it says of them is averaged."""

from torch import Tensor

from emorec.errors import UserError
from emorec.picture_size import Size

MOST_VIEWS = 10
"""Five crops and their mirror images."""


def refuse_other_numbers(num_views: int) -> None:
    """Stops at a number of views that there isn't.

    Raises:
        UserError: When it is not from 1 to 10.

    >>> refuse_other_numbers(11)
    Traceback (most recent call last):
    emorec.errors.UserError: views is 11: choose 1 to 10 (centre, four corners, and the mirror image of each)
    """
    if not 1 <= num_views <= MOST_VIEWS:
        raise UserError(
            f"views is {num_views}: choose 1 to {MOST_VIEWS} "
            "(centre, four corners, and the mirror image of each)"
        )


def views_of(pictures: Tensor, image_size: Size, num_views: int) -> list[Tensor]:
    """The first N of ten views of each clip, the same ones every time.

    They are the central crop, its mirror image, and then the corners, each followed by its mirror image: top left,
    bottom right, top right, bottom left. So one view is what is measured without views, two add the mirror, and ten are
    those of the source. All frames of a clip are cropped and mirrored alike. The views differ in space alone: others in
    time (as of SVFAP, Sun et al. 2024) would show frames that this network was not trained on and that no cache holds.

    Args:
        pictures: (B, T, C, H, W) uint8.
        image_size: Of the crops.
        num_views: N, 1 to 10.

    Returns:
        N tensors (B, T, C, height, width); those that are not mirrored share the memory of the pictures.

    Raises:
        UserError: When there are not so many views.

    Source: Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks, section 4.1.

    >>> import torch
    >>> [tuple(view.shape) for view in views_of(torch.zeros(1, 6, 3, 8, 8), (7, 7), 2)]
    [(1, 6, 3, 7, 7), (1, 6, 3, 7, 7)]
    """
    refuse_other_numbers(num_views)
    height, width = image_size
    bottom, right = pictures.shape[-2] - height, pictures.shape[-1] - width
    corners = [(0, 0), (bottom, right), (0, right), (bottom, 0)]  # (top, left)
    places = [(bottom // 2, right // 2), *corners]
    views = []
    for number in range(num_views):
        top, left = places[number // 2]
        view = pictures[..., top : top + height, left : left + width]
        views.append(view if number % 2 == 0 else view.flip(-1))
    return views
