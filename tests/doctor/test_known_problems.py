import pytest

from emorec.doctor.known_problems import PROBLEMS, known_problems

GOOD = {
    "torch": "2.15.0",
    "torchvision": "0.29.2",
    "cudnn": "9.26.0",
    "lightning": "2.6.6",
    "decord": "0.6.0",
    "opencv-python-headless": "4.14.0.94",
    "tensorboard": "2.21.0",
    "setuptools": "84.2.1",
}


def test_working_versions_have_no_known_problem():
    assert known_problems(GOOD) == []


def test_packages_that_are_not_installed_have_no_known_problem():
    assert known_problems({}) == []


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"torch": "2.9.0"}, "Conv3d with AMP"),
        ({"torch": "2.9.1+cu128"}, "Conv3d with AMP"),
        ({"cudnn": "9.8.0"}, "bf16 Conv3d can be wrong"),
        ({"cudnn": "9.10.2"}, "bf16 Conv3d can be wrong"),
        ({"torchvision": "0.26.0", "torch": "2.12.0"}, "torchvision::nms does not exist"),
        ({"torchvision": "0.27.1", "torch": "2.11.0"}, "torchvision::nms does not exist"),
        ({"torchvision": "0.28.0", "torch": "2.14.1"}, "torchvision::nms does not exist"),
        ({"torchvision": "0.29.2", "torch": "2.13.0+cpu"}, "torchvision::nms does not exist"),
        ({"lightning": "2.6.2"}, "malware"),
        ({"lightning": "2.6.3"}, "malware"),
        ({"lightning": "2.6.5"}, "CVE-2026-58659"),
        ({"decord": "0.6.0", "decord2": "3.4.0"}, "overwrite each other"),
        ({"opencv-python-headless": "5.0.0.93"}, "CVE-2026-8461"),
        ({"tensorboard": "2.20.0", "setuptools": "82.0.0"}, "pkg_resources"),
    ],
)
def test_a_bad_combination_is_named_with_its_symptom(versions, expected):
    (line,) = known_problems(versions)
    assert expected in line
    assert all(f"{name} {version}" in line for name, version in versions.items())


@pytest.mark.parametrize(
    "versions",
    [
        {"torch": "2.8.0"},
        {"torch": "2.10.0"},
        {"torch": "2.90.0"},
        {"cudnn": "9.7.1"},
        {"cudnn": "9.15.0"},
        {"torchvision": "0.26.0", "torch": "2.11.0+cu130"},
        {"torchvision": "0.27.0", "torch": "2.12.1"},
        {"torchvision": "0.28.0", "torch": "2.13.0"},
        {"torchvision": "0.29.2", "torch": "2.14.1"},
        {"lightning": "2.6.1"},
        {"decord": "0.6.0"},
        {"decord2": "3.4.0"},
        {"opencv-python-headless": "4.13.0.90"},
        {"tensorboard": "2.20.0", "setuptools": "81.0.0"},
        {"tensorboard": "2.21.0", "setuptools": "82.0.0"},
    ],
)
def test_neighbouring_versions_of_a_bad_combination_are_not_reported(versions):
    assert known_problems(versions) == []


def test_every_message_names_a_remedy():
    verbs = ("use ", "remove ", "upgrade ", "install ")
    assert all(any(verb in problem.message for verb in verbs) for problem in PROBLEMS)
