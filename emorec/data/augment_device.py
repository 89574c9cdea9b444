"""Pictures become frames as the network sees them, on the device that the network is on."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from emorec.picture_size import Size


def transform_on_device(pictures: Tensor, image_size: Size, draws: Tensor | None = None) -> Tensor:
    """Does to a batch what `ClipTransform` does to a clip; from the same draws, up to a grey level or two.

    Args:
        pictures: (B, T, C, H, W) uint8.
        image_size: Of the result.
        draws: (B, T, 8) float32, the `Draw.numbers` of each frame; without them the crop is central.

    Returns:
        (B, T, C, height, width) uint8. With draws, new memory in the order (B, T, height, width, C); without, a view.
    """
    if draws is None:
        height, width = image_size
        top, left = (pictures.shape[-2] - height) // 2, (pictures.shape[-1] - width) // 2
        return pictures[..., top : top + height, left : left + width]
    num_clips, num_frames, channels, high, wide = pictures.shape
    memory = pictures.new_empty((num_clips, num_frames, *image_size, channels))
    frames = memory.permute(0, 1, 4, 2, 3)  # (B, T, C, height, width)
    for t in range(num_frames):  # all at once would need memory for T times as many floats
        source, (contrast, brightness) = draws[:, t, :6], draws[:, t, 6:].T[..., None, None, None]
        grid = _grid(source.view(num_clips, 2, 3), (high, wide), image_size)
        pixels = pictures[:, t].float()  # (B, C, H, W)
        # mirrors at the centre of the outermost pixel, as OpenCV's BORDER_REFLECT_101 does
        pixels = grid_sample(pixels, grid, padding_mode="reflection", align_corners=True)
        pixels = pixels.mul_(contrast).add_(brightness)  # (B, C, height, width)
        frames[:, t] = pixels.round_().clamp_(0, 255)
    return frames


def _grid(source: Tensor, size: Size, image_size: Size) -> Tensor:
    """(B, 2, 3) in pixels of pictures -> (B, height, width, 2), as `grid_sample` wants them.

    On its scale the middles of the outermost pixels are at -1 and 1.
    """
    rows, columns = (
        torch.arange(side, device=source.device, dtype=source.dtype) for side in image_size
    )
    by_column, by_row, shift = source[..., None, None].unbind(2)  # (B, 2, 1, 1) each
    # no matrix product: in TF32 it would be off by a tenth of a pixel
    places = by_column * columns + by_row * rows[:, None] + shift  # (B, 2, height, width)
    right, down = places.unbind(1)
    scaled = right * (2 / (size[1] - 1)), down * (2 / (size[0] - 1))
    return torch.stack(scaled, dim=-1) - 1
