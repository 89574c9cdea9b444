"""Squares become frames as the network sees them, on the device that the network is on."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def transform_on_device(squares: Tensor, image_size: int, draws: Tensor | None = None) -> Tensor:
    """Does to a batch what `ClipTransform` does to a clip; from the same draws, up to a grey level or two.

    Args:
        squares: (B, T, C, side, side) uint8.
        image_size: S, the side of the result.
        draws: (B, T, 8) float32, the `Draw.numbers` of each frame; without them the crop is central.

    Returns:
        (B, T, C, S, S) uint8. With draws, new memory in the order (B, T, H, W, C); without, a view.
    """
    if draws is None:
        before = (squares.shape[-1] - image_size) // 2
        return squares[..., before : before + image_size, before : before + image_size]
    num_clips, num_frames, channels, side, _ = squares.shape
    memory = squares.new_empty((num_clips, num_frames, image_size, image_size, channels))
    frames = memory.permute(0, 1, 4, 2, 3)  # (B, T, C, S, S)
    for t in range(num_frames):  # all at once would need memory for T times as many floats
        source, (contrast, brightness) = draws[:, t, :6], draws[:, t, 6:].T[..., None, None, None]
        grid = _grid(source.view(num_clips, 2, 3), side, image_size)  # (B, S, S, 2)
        pixels = squares[:, t].float()  # (B, C, side, side)
        # mirrors at the centre of the outermost pixel, as OpenCV's BORDER_REFLECT_101 does
        pixels = grid_sample(pixels, grid, padding_mode="reflection", align_corners=True)
        pixels = pixels.mul_(contrast).add_(brightness)  # (B, C, S, S)
        frames[:, t] = pixels.round_().clamp_(0, 255)
    return frames


def _grid(source: Tensor, side: int, image_size: int) -> Tensor:
    """(B, 2, 3) in pixels -> (B, S, S, 2) on the scale of `grid_sample`, where the outermost pixels are at -1 and 1."""
    along = torch.arange(image_size, device=source.device, dtype=source.dtype)  # (S,)
    by_column, by_row, shift = source[..., None, None].unbind(2)  # (B, 2, 1, 1) each
    # no matrix product: in TF32 it would be off by a tenth of a pixel
    places = by_column * along + by_row * along[:, None] + shift  # (B, 2, S, S)
    return (places * (2 / (side - 1)) - 1).permute(0, 2, 3, 1)
