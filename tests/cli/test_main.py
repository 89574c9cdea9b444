"""Command dispatch, help, and precedence of flags and configs."""

import re
import subprocess
import sys
from contextlib import suppress
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import yaml

from emorec.cli import COMMANDS, EXPERIMENTS, main, name_dashed_files, predicts_data
from emorec.cli.help import PREDICT_DATA_HELP, experiment_help


def run_main(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(arguments)
    return capsys.readouterr().out


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_the_help_lists_every_command_with_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    lines = run_main(capsys, *arguments).splitlines()
    for command in [*EXPERIMENTS, *COMMANDS]:
        assert sum(line.strip().startswith(f"{command} ") for line in lines) == 1
    assert len(lines) <= 28
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("command", [*EXPERIMENTS, *COMMANDS])
def test_the_help_of_a_command_describes_every_option(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code: object = 0
    try:
        main([command, "--help"])
    except SystemExit as end:
        code = end.code
    assert code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: emorec {command} ")
    lines = text.splitlines()
    assert 2 < len(lines) <= 75
    assert max(map(len, lines)) <= 110
    options = re.split(r"\n  (?=-)", text)[1:]
    assert options
    for option in options:
        assert re.match(r"\S.*?\s{2,}[\w(]", option, re.DOTALL), option


HEAVY = {
    "torch",
    "lightning",
    "cv2",
    "sklearn",
    "av",
    "matplotlib",
    "onnxruntime",
    "pandas",
    "scipy",
}


def test_the_help_does_not_import_torch() -> None:
    program = (
        "import sys; from contextlib import suppress; from emorec.cli import main\n"
        f"for command in {['', *EXPERIMENTS, *COMMANDS]}:\n"
        "    with suppress(SystemExit): main([*command.split(), '--help'])\n"
        f"    print(command, sorted({HEAVY} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", program]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    assert len(lines) == 1 + len([*EXPERIMENTS, *COMMANDS])
    assert {line.split()[-1] for line in lines} == {"[]"}


@pytest.mark.parametrize("command", EXPERIMENTS)
def test_every_option_of_the_short_help_exists(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help-all"])
    full = capsys.readouterr().out
    short = PREDICT_DATA_HELP if command == "predict" else experiment_help(command, "")
    options = re.findall(r"^  (?:-c, )?(--[\w.]+)", short, re.MULTILINE)
    assert options
    for option in options:
        name = option.removeprefix("--")
        if name.startswith(("data.", "model.")):  # arguments of the selected class
            section, argument = name.split(".")
            assert argument in arguments_of(section)
        else:
            assert option in full


def arguments_of(section: str) -> set[str]:
    from emorec.data import RavdessDataModule
    from emorec.models import CNNLSTM

    cls = {"data": RavdessDataModule, "model": CNNLSTM}[section]
    return set(cls(**{"weights": "none"} if section == "model" else {}).hparams)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from emorec import __version__

    printed = run_main(capsys, "--version")
    assert re.fullmatch(
        rf"emorec {re.escape(__version__)}( \([0-9a-f]{{7,}}(-dirty)?\))?\n", printed
    )


def test_an_unknown_command_is_refused_with_a_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "no command 'tset' (did you mean test?)" in error_of(capsys, "tset")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("arguments", [("cache", "--folder"), ("compare",)])
def test_any_name_is_printed_in_any_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str, arguments: tuple[str, ...]
) -> None:
    output = TextIOWrapper(BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", output)
    folder = "[red]Привет[/] \udcff :smile:"
    with suppress(SystemExit):
        main([*arguments, folder])
    output.flush()
    assert folder.encode(encoding, "backslashreplace") in output.buffer.getvalue()


NETWORK = ("--model", "emorec.models.EarlyFusionCNN")
DATA = ("--data", "emorec.data.RavdessDataModule")


@pytest.mark.parametrize(
    ("arguments", "data_set"),
    [
        ("--ckpt best.ckpt", True),
        ("--ckpt best.ckpt --data.root clips --calibrate", True),
        ("--ckpt=best.ckpt --views 2", True),
        ("--ckpt best.ckpt --calibrate --data.num_workers 0", True),
        ("--ckpt best.ckpt --help-all", True),
        ("--ckpt best.ckpt clips", False),
        ("clips --ckpt best.ckpt", False),
        ("--ckpt=best.ckpt --annotate clips", False),
        ("--ckpt=best.ckpt --anotate", False),
        ("--model x.pt2", False),
        ("--help", False),
    ],
)
def test_predict_takes_videos_if_one_is_named_or_a_video_flag_is_used(
    arguments: str, data_set: bool
) -> None:
    assert predicts_data(arguments.split()) == data_set


def test_files_that_begin_with_a_dash_are_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-a.mp4", "--b.mp4"):
        Path(name).touch()
    expanded = ["--ckpt", "x.ckpt", "--b.mp4", "-a.mp4", "c.mp4"]
    named = name_dashed_files(expanded)
    assert named == ["--ckpt", "x.ckpt", "./--b.mp4", "./-a.mp4", "c.mp4"]
    assert not predicts_data(named)
    assert name_dashed_files(["--to", "x", "--", "-gone.mp4"]) == ["--to", "x", "./-gone.mp4"]


def test_the_printed_configuration_reproduces_itself(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def print_config(*arguments: str) -> str:
        with pytest.raises(SystemExit) as exit_info:
            main(["fit", *arguments, "--print_config"])
        assert exit_info.value.code in (0, None)
        return capsys.readouterr().out

    first = print_config("--data.num_frames", "3", *NETWORK, *DATA, "--data.root", "clips")
    assert yaml.safe_load(first)["data"]["init_args"]["num_frames"] == 3
    path = tmp_path / "printed.yaml"
    path.write_text(first)
    assert print_config("--config", str(path)) == first


@pytest.mark.parametrize("flags_come", ["first", "last"])
def test_flags_override_configurations_in_any_order(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, flags_come: str
) -> None:
    configs = []
    for name, epochs in (("one.yaml", 1), ("two.yaml", 2)):
        (tmp_path / name).write_text(
            yaml.safe_dump(
                {"trainer": {"max_epochs": epochs}, "data": DATA[1], "model": NETWORK[1]}
            )
        )
        configs += ["--config", str(tmp_path / name)]
    flags = ["--data.batch_size", "3", "--model.lr=2"]
    arguments = [*flags, *configs] if flags_come == "first" else [*configs, *flags]
    with pytest.raises(SystemExit):
        main(["fit", *arguments, "--print_config"])
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["trainer"]["max_epochs"] == 2  # the later configuration wins
    assert config["data"]["init_args"]["batch_size"] == 3
    assert config["model"]["init_args"]["lr"] == 2.0


def test_the_help_of_a_class_lists_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--model.help", "CNNLSTM"])
    assert "--model.bidirectional" in capsys.readouterr().out
