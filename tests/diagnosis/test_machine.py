import builtins
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from emorec.diagnosis import machine
from emorec.diagnosis.machine import cudnn_version, look_at_gpus, look_at_machine


@pytest.fixture
def two_cards(monkeypatch):
    cards = [
        SimpleNamespace(name="NVIDIA H100", total_memory=80 * 2**30, major=9, minor=0),
        SimpleNamespace(name="Tesla T4", total_memory=15 * 2**30, major=7, minor=5),
    ]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
    monkeypatch.setattr(torch.cuda, "get_device_properties", cards.__getitem__)
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    bf16 = iter([True, False])
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: next(bf16))


def test_every_gpu_is_shown_with_memory_capability_and_bf16(two_cards):
    rows = dict(look_at_gpus().rows)
    assert rows["GPU 0"] == "NVIDIA H100, 80 GiB, compute capability 9.0, bf16"
    assert rows["GPU 1"] == "Tesla T4, 15 GiB, compute capability 7.5, no bf16"
    assert "GPU" not in rows


def test_a_machine_without_gpu_is_told_that_it_trains_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert dict(look_at_gpus().rows)["GPU"] == "none: training runs on the CPU"


def test_the_cudnn_that_torch_brings_is_checked(monkeypatch):
    monkeypatch.setattr(machine, "_cudnn_number", lambda: 91002)
    findings = look_at_gpus()
    assert dict(findings.rows)["cuDNN"] == "9.10.2"
    assert [line.partition(":")[0] for line in findings.warnings] == ["cudnn 9.10.2"]


def test_a_torch_without_cudnn_is_no_problem(monkeypatch):
    monkeypatch.setattr(machine, "_cudnn_number", lambda: None)
    findings = look_at_gpus()
    assert dict(findings.rows)["cuDNN"] == "not in this build of torch"
    assert not findings.warnings


def test_a_torchvision_that_does_not_import_is_a_failure_in_one_line(monkeypatch):
    really_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist\nand more")
        return really_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    (failure,) = look_at_gpus().failures
    assert failure.endswith("RuntimeError: operator torchvision::nms does not exist")


@pytest.mark.parametrize(
    ("number", "version"), [(8907, "8.9.7"), (90100, "9.1.0"), (91002, "9.10.2"), (92600, "9.26.0")]
)
def test_cudnn_numbers_are_read_as_nvidia_writes_them(number, version):
    assert cudnn_version(number) == version


def test_cores_and_memory_are_shown():
    rows = dict(look_at_machine().rows)
    assert rows["CPU cores"].split(" of ")[0].isdigit()
    assert float(rows["memory"].removesuffix(" GiB")) > 0
