"""`emorec doctor`: printed reports, and the data folders it checks."""

import json
from contextlib import suppress

import pytest

from emorec import doctor as checks
from emorec.cli.commands.doctor import doctor
from emorec.doctor import Report


@pytest.fixture
def reports(monkeypatch):
    """Map from the name of a check to its report; every check is patched."""
    reports_by_check = {}
    for check in [name for name in vars(checks) if name.startswith("check_")]:
        monkeypatch.setattr(
            checks, check, lambda *args, check=check: reports_by_check.get(check, Report())
        )
    return reports_by_check


def test_rows_are_shown_without_warnings_on_a_healthy_machine(reports, capsys):
    reports["check_machine"] = Report([("CPU cores", "2 of 2")])
    doctor()
    output = capsys.readouterr().out
    assert "CPU cores" in output
    assert "2 of 2" in output
    assert "warning" not in output


def test_a_warning_is_one_line_and_not_an_error(reports, capsys):
    message = "torch 2.9.1: " + "a long story " * 20
    reports["check_packages"] = Report(warnings=[message.strip()])
    doctor()
    assert f"warning: {message.strip()}" in capsys.readouterr().out.splitlines()


def test_a_failure_is_shown_after_the_warnings_and_ends_with_exit_code_1(reports, capsys):
    reports["check_packages"] = Report(failures=["rich is not installed, emorec needs >=13.9"])
    reports["check_disk"] = Report(warnings=["little room"])
    with pytest.raises(SystemExit) as exit_info:
        doctor()
    assert exit_info.value.code == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "warning: little room",
        "error: rich is not installed, emorec needs >=13.9",
    ]


@pytest.mark.parametrize(
    ("argument", "variable", "expected"),
    [("given", "set", "given"), (None, "set", "set"), (None, None, None), (None, "", "")],
)
def test_the_data_folder_is_the_argument_or_else_the_variable(
    reports, monkeypatch, argument, variable, expected
):
    roots = []
    monkeypatch.setattr(checks, "check_ravdess", lambda root: roots.append(root) or Report())
    if variable is None:
        monkeypatch.delenv("EMOREC_RAVDESS_ROOT", raising=False)
    else:
        monkeypatch.setenv("EMOREC_RAVDESS_ROOT", variable)
    doctor(argument)
    assert roots == [expected]


KEYS = {
    "commit": (),
    "packages": {"emorec", "torch", "torchvision", "lightning", "torchmetrics", "albumentations"},
    "machine": {"python", "system", "cpu_cores", "cpu_cores_in_all", "memory_bytes"},
    "gpu": {"cuda", "cudnn", "mps", "devices"},
    "decoder": {"works"},
    "landmarks": {"works"},
    "disk": {"runs", "weights", "decoded_frames"},
    "ravdess": {"folder", "clips", "kinds", "actors", "missing_actors", "other_files"},
    "csv": (),
    "iemocap": (),
    "warnings": (),
    "errors": (),
}
"""Keys of the JSON, which programs of users rely on: none may go."""


def test_the_json_has_what_is_shown_under_keys_that_stay(drawn_clips, capsys, monkeypatch):
    import torch

    monkeypatch.delenv("EMOREC_IEMOCAP_ROOT", raising=False)
    with suppress(SystemExit):  # checks may fail on this machine
        doctor(str(drawn_clips), json=True)
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == KEYS.keys()
    assert all(set(keys) <= set(found[name] or ()) for name, keys in KEYS.items())
    assert found["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert found["ravdess"]["actors"] == list(range(1, 25))
    assert found["disk"]["runs"]["free_bytes"] > 0
    assert found["csv"] is None


def test_the_json_of_a_failure_names_it_and_ends_with_exit_code_1(reports, capsys):
    reports["check_packages"] = Report(failures=["rich is not installed"], warnings=["old"])
    with pytest.raises(SystemExit) as exit_info:
        doctor(json=True)
    assert exit_info.value.code == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["errors"], found["warnings"]) == (["rich is not installed"], ["old"])
