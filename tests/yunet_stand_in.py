"""A network with YuNet's outputs whose faces are red squares: an ONNX file written byte by byte.

OpenCV takes sqrt(cls * obj) of a cell for its score, and for its box (stride * e**w, stride * e**h) around the centre
(stride * (column + x), stride * (row + y)). Here both scores are red minus green, averaged over the cell, and faces are
three cells wide and four high.
"""

import struct
from collections.abc import Iterable, Sequence
from math import log

STRIDES = (8, 16, 32)
"""Sizes of a cell in pixels."""

FACE_CELLS = (3, 4)
"""Width and height of a face."""

_FLOAT, _INT64 = 1, 7


def stand_in_onnx() -> bytes:
    """The file; a cell of 8, 16 or 32 pixels that is red all over is a face."""
    nodes, weights, outputs = [], [], []
    for stride in STRIDES:
        mean = 1 / (255 * stride * stride)
        cell = [0.0] * stride**2, [-mean] * stride**2, [mean] * stride**2  # blue, green, red
        box = [0.5, 0.5, *(log(cells) for cells in FACE_CELLS)]
        heads = {
            "cls": ([*cell[0], *cell[1], *cell[2]], [0.0]),
            "obj": ([*cell[0], *cell[1], *cell[2]], [0.0]),
            "bbox": ([0.0] * 4 * 3 * stride**2, box),
            "kps": ([0.0] * 10 * 3 * stride**2, [0.0] * 10),
        }
        for head, (weight, bias) in heads.items():
            name = f"{head}_{stride}"
            channels = len(bias)
            weights += [
                _tensor(f"{name}_weight", _FLOAT, (channels, 3, stride, stride), weight),
                _tensor(f"{name}_bias", _FLOAT, (channels,), bias),
                _tensor(f"{name}_shape", _INT64, (3,), [1, -1, channels]),
            ]
            strided = _ints("kernel_shape", (stride,) * 2) + _ints("strides", (stride,) * 2)
            last = _ints("perm", (0, 2, 3, 1))
            conv, moved = f"{name}_conv", f"{name}_moved"
            nodes += [
                _node("Conv", ("input", f"{name}_weight", f"{name}_bias"), conv, strided),
                _node("Transpose", (conv,), moved, last),
                _node("Reshape", (moved, f"{name}_shape"), name, b""),
            ]
            outputs.append(_value(name, (1, -1, channels)))
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"stand-in"),
            *(_field(5, weight) for weight in weights),
            _field(11, _value("input", (1, 3, 320, 320))),
            *(_field(12, output) for output in outputs),
        ]
    )
    opset = _field(1, b"") + _field(2, 11)
    return _field(1, 6) + _field(7, graph) + _field(8, opset)


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    digits = []
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def _field(number: int, content: int | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _tensor(name: str, kind: int, shape: Iterable[int], numbers: Sequence[float]) -> bytes:
    letter = "f" if kind == _FLOAT else "q"
    raw = struct.pack(f"<{len(numbers)}{letter}", *numbers)
    dims = b"".join(_field(1, size) for size in shape)
    return dims + _field(2, kind) + _field(8, name.encode()) + _field(9, raw)


def _ints(name: str, numbers: Iterable[int]) -> bytes:
    values = b"".join(_field(8, number) for number in numbers)
    return _field(5, _field(1, name.encode()) + values + _field(20, 7))


def _node(kind: str, inputs: Iterable[str], output: str, attributes: bytes) -> bytes:
    names = b"".join(_field(1, name.encode()) for name in inputs)
    return names + _field(2, output.encode()) + _field(4, kind.encode()) + attributes


def _value(name: str, shape: Iterable[int]) -> bytes:
    dims = b"".join(_field(1, _field(1, size)) for size in shape)
    tensor = _field(1, _FLOAT) + _field(2, dims)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))
