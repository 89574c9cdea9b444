from contextlib import suppress

import pytest

from emorec.cli.commands import doctor as command
from emorec.cli.commands.doctor import doctor
from emorec.diagnosis import Findings


@pytest.fixture
def findings(monkeypatch):
    """What looking finds, by name of the look; nothing is looked at for real."""
    found = {}
    for look in [name for name in vars(command) if name.startswith("look_at_")]:
        monkeypatch.setattr(command, look, lambda *args, look=look: found.get(look, Findings()))
    return found


def test_rows_are_shown_and_a_healthy_machine_ends_quietly(findings, capsys):
    findings["look_at_machine"] = Findings([("CPU cores", "2 of 2")])
    doctor()
    shown = capsys.readouterr().out
    assert "CPU cores" in shown
    assert "2 of 2" in shown
    assert "warning" not in shown


def test_a_warning_is_shown_on_one_line_and_is_no_error(findings, capsys):
    message = "torch 2.9.1: " + "a long story " * 20
    findings["look_at_packages"] = Findings(warnings=[message.strip()])
    doctor()
    assert f"warning: {message.strip()}" in capsys.readouterr().out.splitlines()


def test_a_failure_is_shown_after_the_warnings_and_ends_with_exit_code_1(findings, capsys):
    findings["look_at_packages"] = Findings(failures=["rich is not installed, emorec needs >=13.9"])
    findings["look_at_disk"] = Findings(warnings=["little room"])
    with pytest.raises(SystemExit) as exit_:
        doctor()
    assert exit_.value.code == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "warning: little room",
        "error: rich is not installed, emorec needs >=13.9",
    ]


@pytest.mark.parametrize(
    ("argument", "variable", "looked_at"),
    [("given", "set", "given"), (None, "set", "set"), (None, None, None), (None, "", "")],
)
def test_the_data_folder_is_the_argument_or_else_the_variable(
    findings, monkeypatch, argument, variable, looked_at
):
    roots = []
    monkeypatch.setattr(command, "look_at_ravdess", lambda root: roots.append(root) or Findings())
    if variable is None:
        monkeypatch.delenv("EMOREC_RAVDESS_ROOT", raising=False)
    else:
        monkeypatch.setenv("EMOREC_RAVDESS_ROOT", variable)
    doctor(argument)
    assert roots == [looked_at]


def test_looking_for_real_shows_the_versions_that_run(capsys):
    import torch

    with suppress(SystemExit):  # what this machine lacks is its own affair
        doctor()
    assert torch.__version__.partition("+")[0] in capsys.readouterr().out
