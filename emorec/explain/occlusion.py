"""Heat by taking away: a place counts as much as the score falls when it can't be seen."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from emorec.explain.score import Score

SPOTS = 9
"""Along each side of a picture."""

SPOT_SHARE = 0.085
"""Standard deviation of a spot as a share of the side: half of its depth is a fifth of the side wide."""

BLUR_SHARE = 1 / 9
"""Standard deviation of the blur as a share of the side."""


def occlude_frames(score: Score, given: Mapping[str, Tensor]) -> Tensor:
    """(T, H, W): how much the score falls when spots in which a frame is blurred lie over a pixel, on the mean.

    Spots have no edge and the colours of their place: a grey square would be news to the network, not something less.

    Source: Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks, section 4.2 (grey squares); Fong
    & Vedaldi 2017, Interpretable Explanations of Black Boxes by Meaningful Perturbation, section 4.1 (blur).
    """
    frames = given["frames"][0]  # (T, 3, H, W)
    blurred = blur(frames.float())
    spots = spots_over(*frames.shape[2:]).to(frames.device)  # (N, H, W)

    def hidden() -> Iterator[Tensor]:
        for number, frame in enumerate(frames.float()):
            for spot in spots:
                variant = frames.clone()
                mixed = frame + (blurred[number] - frame) * spot
                variant[number] = mixed.round().to(frames.dtype)
                yield variant

    falls = score.of(given) - score.of_each(given, "frames", hidden())  # (T * N,)
    return spread(falls.view(len(frames), -1), spots).cpu()  # (T, H, W)


def occlude_spectrogram(score: Score, given: Mapping[str, Tensor], layer: nn.Module) -> Tensor:
    """(bins, windows): the same of what a spectrogram layer makes of the sound, whose mean loudness is 0."""
    with torch.no_grad():
        picture: Tensor = layer(given["sound"])[0]  # (1, bins, windows)
    spots = spots_over(*picture.shape[1:]).to(picture.device)  # (N, bins, windows)
    waiting = spots

    def hide(_: nn.Module, __: tuple[Tensor], output: Tensor) -> Tensor:
        nonlocal waiting
        now, waiting = waiting[: len(output)], waiting[len(output) :]
        return output * (1 - now[:, None])  # (B, 1, bins, windows)

    whole = score.of(given)
    handle = layer.register_forward_hook(hide)
    try:
        scores = score.of_each(given, "sound", (given["sound"][0] for _ in spots))
    finally:
        handle.remove()
    return spread((whole - scores)[None], spots)[0].cpu()  # (bins, windows)


def blur(frames: Tensor) -> Tensor:
    """(T, 3, H, W) float -> the same, so blurred that nothing of the size of an eye is left."""
    height, width = frames.shape[2:]
    kernel = [2 * (side // 3) + 1 for side in (width, height)]
    smooth: Tensor = gaussian_blur(frames, kernel, [BLUR_SHARE * width, BLUR_SHARE * height])
    return smooth


def spots_over(height: int, width: int) -> Tensor:
    """(N, H, W) from 0 to 1: spots, row by row, that cover a picture evenly.

    >>> spots_over(45, 90).argmax(dim=2)[:9].amax(dim=1)  # their middles in the first row
    tensor([ 4, 14, 24, 34, 44, 54, 64, 74, 84])
    """
    down, across = _profiles(height), _profiles(width)  # (9, H), (9, W)
    return (down[:, None, :, None] * across[None, :, None, :]).flatten(0, 1)


def _profiles(length: int) -> Tensor:
    middles = (torch.arange(SPOTS) + 0.5) * length / SPOTS
    away = (torch.arange(length) + 0.5 - middles[:, None]) / (SPOT_SHARE * length)  # (9, length)
    return (-0.5 * away.square()).exp()


def spread(values: Tensor, spots: Tensor) -> Tensor:
    """A value a spot (T, N), spots (N, H, W) -> (T, H, W): their mean at each pixel, by how far they hide it.

    >>> spots = torch.tensor([[[1.0, 0.5, 0.0]], [[0.0, 0.5, 1.0]]])
    >>> spread(torch.tensor([[1.0, 3.0]]), spots)
    tensor([[[1., 2., 3.]]])
    """
    return torch.einsum("tn,nhw->thw", values, spots) / spots.sum(dim=0)
