"""Which files a trained network can be written as."""

from typing import Literal

Format = Literal["onnx", "torch_export"]

SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch_export": ".pt2"}
