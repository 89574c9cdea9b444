"""Checks of the machine and of the installed packages."""

import builtins
import shutil
import sys
from contextlib import nullcontext
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from emorec.doctor import environment
from emorec.doctor.environment import (
    check_decoder,
    check_disk,
    check_gpus,
    check_landmarks,
    check_machine,
    check_packages,
    cudnn_version,
    unmet_requirements,
)

decode_module = import_module("emorec.data.video.reader")


def test_an_extra_is_not_required():
    assert unmet_requirements(["optuna>=5; extra == 'study'"], {}) == []


def test_package_names_are_normalized():
    assert unmet_requirements(["Typing_Extensions>=4"], {"typing-extensions": "4.15.0"}) == []


def test_a_local_build_satisfies_the_requirement_of_its_public_version():
    assert unmet_requirements(["torch>=2.11"], {"torch": "2.13.0+cpu"}) == []


def test_a_missing_package_is_a_failure_and_a_bad_one_a_warning(monkeypatch):
    monkeypatch.setattr(environment, "requires", lambda name: ["rich>=13.9", "torch"])
    report = check_packages({"torch": "2.9.1"})
    assert report.failures == ["rich is not installed, emorec needs >=13.9"]
    assert len(report.warnings) == 1
    assert report.rows == [("torch", "2.9.1")]


def test_a_source_tree_that_is_not_installed_is_a_failure(monkeypatch):
    def raise_not_found(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(environment, "requires", raise_not_found)
    (failure,) = check_packages({}).failures
    assert "make install" in failure


@pytest.fixture
def two_gpus(monkeypatch):
    gpus = [
        SimpleNamespace(name="NVIDIA H100", total_memory=80 * 2**30, major=9, minor=0),
        SimpleNamespace(name="Tesla T4", total_memory=15 * 2**30, major=7, minor=5),
    ]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "get_device_properties", gpus.__getitem__)
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    bf16 = iter([True, False])
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: next(bf16))


def test_every_gpu_is_shown_with_memory_capability_and_bf16(two_gpus):
    rows = dict(check_gpus().rows)
    assert rows["GPU 0"] == "NVIDIA H100, 80 GiB, compute capability 9.0, bf16"
    assert rows["GPU 1"] == "Tesla T4, 15 GiB, compute capability 7.5, no bf16"
    assert "GPU" not in rows


def test_a_machine_without_gpu_trains_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert dict(check_gpus().rows)["GPU"] == "none: training runs on the CPU"


def test_the_cudnn_of_torch_is_checked(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    report = check_gpus()
    assert dict(report.rows)["cuDNN"] == "9.10.2"
    assert [line.partition(":")[0] for line in report.warnings] == ["cudnn 9.10.2"]


def test_a_torch_without_cudnn_gives_no_warning(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: None)
    report = check_gpus()
    assert dict(report.rows)["cuDNN"] == "not in this build of torch"
    assert not report.warnings


def test_a_torchvision_that_does_not_import_is_a_failure_in_one_line(monkeypatch):
    original_import = builtins.__import__

    def fail_for_torchvision(name, *args, **kwargs):
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist\nand more")
        return original_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail_for_torchvision)
    (failure,) = check_gpus().failures
    assert failure.endswith("RuntimeError: operator torchvision::nms does not exist")


@pytest.mark.parametrize(
    ("number", "version"), [(8907, "8.9.7"), (90100, "9.1.0"), (91002, "9.10.2"), (92600, "9.26.0")]
)
def test_cudnn_version_numbers_are_decoded(number, version):
    assert cudnn_version(number) == version


def test_cores_and_memory_are_shown():
    rows = dict(check_machine().rows)
    assert rows["CPU cores"].split(" of ")[0].isdigit()
    assert float(rows["memory"].removesuffix(" GiB")) > 0


@pytest.mark.parametrize(("free", "num_warnings"), [(4.9e9, 1), (5.1e9, 0)])
def test_less_than_five_gigabytes_are_a_warning(monkeypatch, tmp_path, free, num_warnings):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert len(check_disk({"runs": tmp_path}).warnings) == num_warnings


def test_free_disk_is_measured_for_a_folder_that_does_not_exist_yet(tmp_path):
    ((label, value),) = check_disk({"runs": tmp_path / "not" / "yet"}).rows
    assert label == "disk for runs"
    assert value.endswith(f"GB free in {tmp_path / 'not' / 'yet'}")


def test_the_decoder_of_this_environment_returns_the_encoded_frames():
    report = check_decoder()
    assert not report.failures
    assert report.rows == [("decoder", "works: a clip came back as it was encoded")]


@pytest.mark.parametrize("frames", [np.zeros((6, 64, 64, 3)), np.zeros((0, 64, 64, 3))])
def test_a_decoder_that_returns_wrong_frames_is_a_failure(monkeypatch, frames):
    monkeypatch.setattr(decode_module, "decode", lambda *args: SimpleNamespace(frames=frames))
    (failure,) = check_decoder().failures
    assert "wrong frames" in failure


def test_a_decoder_that_raises_is_a_failure_in_one_line(monkeypatch):
    def failing_decode(*args):
        raise OSError("no codec\nfor this")

    monkeypatch.setattr(decode_module, "decode", failing_decode)
    assert check_decoder().failures == ["decoding fails: OSError: no codec"]


def test_landmarks_are_tried_on_a_drawn_face(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_landmarks().rows == [("landmarks", "work: a drawn face was found")]
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    report = check_landmarks()
    assert report.rows == [("landmarks", "fail")]
    assert "pip install ai-edge-litert" in report.warnings[0]
