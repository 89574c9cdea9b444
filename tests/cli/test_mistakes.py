"""Mistakes of users end in one line with the setting, its value and the remedy."""

from pathlib import Path

import pytest

from emorec.cli import main
from tests.cli.test_main import error_of

NETWORK = ("--model", "emorec.models.EarlyFusionCNN")
DATA = ("--data", "emorec.data.RavdessDataModule")


@pytest.mark.parametrize(
    ("arguments", "value", "remedy"),
    [
        # unknown options
        ("--data.batchsize 3", "data: ", "did you mean batch_size?"),
        ("--model.lrr 3", "model: ", "did you mean lr?"),
        ("--model.backbone resnet18", "backbone", "not accepted\n"),
        ("--traner.max_epochs 3", "--traner.max_epochs", "did you mean --trainer.max_epochs?"),
        ("--trainer.max_epoch=3", "--trainer.max_epoch=3", "did you mean --trainer.max_epochs?"),
        ("--checkpoint.savelast true", "savelast", "did you mean --checkpoint.save_last?"),
        ("--foo", "--foo", "unrecognized"),
        ("extra", "extra", "unrecognized"),
        # values of the wrong type
        ("--data.batch_size many", "many", "data.batch_size: Expected a int"),
        ("--data.batch_size", "--data", "expected one argument"),
        ("--data.image_size 60x100", "60x100", "data.image_size: Expected a int; Expected a tuple"),
        ("--data.resize foo", "foo", "data.resize: Expected a Literal['shorter_side', 'squash']"),
        ("--data.augment maybe", "maybe", "Expected a bool; Expected a Literal['per_frame', "),
        ("--data.split loos", "loos", "'seed', 'msaf6', 'luna5', 'emobox6', 'loso'"),
        ("--model.lr high", "high", "model.lr: Expected a float"),
        ("--trainer.max_epochs two", "two", "trainer.max_epochs: Expected a int"),
        ("--trainer.precision 17", "17", "'bf16-mixed'"),
        ("--trainer.callbacks foo", "foo", "trainer.callbacks: "),
        ("--data.root clips/caf\udce9", r"'clips/caf\udce9' is not UTF-8", "a symbolic link"),
        ("--seed_everything x", "x", "seed_everything: Expected a bool; Expected a int"),
        # values that are out of range
        ("--data.batch_size 0", "data.batch_size is 0", "at least 1"),
        ("--data.batch_size -1", "data.batch_size is -1", "at least 1"),
        ("--data.num_workers -1", "data.num_workers is -1", "at least 0"),
        ("--data.num_frames 0", "data.num_frames is 0", "at least 1"),
        ("--data.image_size 0", "image_size is 0", "height and width such as"),
        ("--data.image_size [60,0]", "image_size is (60, 0)", "height and width such as"),
        ("--data.split loso", "split loso", "--data.fold 1 to 24"),
        ("--data.fold 2", "split seed has no folds", "leave out --data.fold 2"),
        ("--model.lr -1", "lr -1.0", "above 0"),
        ("--model.dropout 2", "2.0", "between 0 and 1"),
        ("--trainer.max_epochs -2", "max_epochs", "non-negative integer or -1"),
        ("--trainer.accelerator abacus", "abacus", "--trainer: "),
        ("--trainer.devices x", "devices x", "auto takes what this machine has"),
        ("--trainer.accelerator tpu", "accelerator tpu", "auto takes what this machine has"),
        ("--model CNNLSTM --model.backbone resnet19", "resnet19", "resnet18"),
        # classes
        ("--model emorec.models.CNNLST", "CNNLST", "did you mean CNNLSTM?"),
        ("--model CNNLST", "CNNLST", "did you mean CNNLSTM?"),
        ("--model emorec.modls.CNNLSTM", "model: ", "no attribute 'modls'"),
        ("--model my_net.Net", "my_net", "No module named"),
        ("--model emorec.data.RavdessDataModule", "RavdessDataModule", "subclass of ClipNetwork"),
        ("--data RavdessModule", "RavdessModule", "did you mean RavdessDataModule?"),
        ("--model parts/nothing.yaml", "parts/nothing.yaml", "not accessible"),
        # settings that are derived from others
        ("--model.num_frames 4", "--model.num_frames", "--data.num_frames"),
        ("--model.num_classes 4", "--model.num_classes", "leave it out"),
    ],
)
def test_a_wrong_flag_ends_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: str, value: str, remedy: str
) -> None:
    start = (*NETWORK, *DATA, "--data.root", ".", "--trainer.max_epochs", "1")
    error = error_of(capsys, "fit", *start, *arguments.split())
    assert value in error
    assert remedy in error


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ((), "no configuration: emorec fit --config NAME --data.root DIR"),
        (("--data.root", "."), "--data emorec.data.RavdessDataModule"),
        (NETWORK, "--data emorec.data.RavdessDataModule"),
        (DATA, "--model emorec.models.CNNLSTM"),
        ((*DATA, "--model.lr", "1"), "--model emorec.models.CNNLSTM"),
        ((*DATA, "--model", "emorec.models.ClipNetwork"), "--model emorec.models.CNNLSTM"),
        (("--config",), "--config: expected one argument"),
        (("--ckpt",), "--ckpt: expected one argument"),
    ],
)
def test_a_missing_argument_is_named_with_the_remedy(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], remedy: str
) -> None:
    assert remedy in error_of(capsys, "fit", *arguments)


def test_weights_without_a_connection_end_in_one_line_with_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("socket.create_connection", fail)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", "--config", "configs/cnn_lstm.yaml", "--data.root", "."])
    assert exit_info.value.code == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("emorec fit: error: can't get https://")
    assert "resnet18-f37072fd.pth (no route to host): put that file into" in last
    assert "choose --model.weights none" in last


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("validate", ()), ("validate", DATA), ("test", ()), ("test", DATA), ("predict", DATA)],
)
def test_evaluation_needs_a_checkpoint(
    capsys: pytest.CaptureFixture[str], command: str, arguments: tuple[str, ...]
) -> None:
    assert f"which network? emorec {command} --ckpt FILE" in error_of(capsys, command, *arguments)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ("run.yaml", "No such file or directory")),
        (b"", ("run.yaml", "`model:` and `data:`")),
        (b"just a text", ("run.yaml", "`model:` and `data:`")),
        (b"model: [1, {", ("run.yaml line 1", "not valid YAML")),
        (b"\xff\xfe\x00", ("run.yaml", "not a text file")),
        (b"optimizr: 3", ("optimizr", "not accepted")),
        (b"trainer: {max_epoch: 3}", ("max_epoch", "did you mean max_epochs?")),
        (b"trainer: {max_epochs: [a]}", ("['a']", "trainer.max_epochs: Expected a int")),
        (b"model: {class_path: emorec.models.CNN3}", ("CNN3", "did you mean CNN3D?")),
        (b"model: parts/no.yaml", ("parts/no.yaml", "not accessible")),
        (
            b"data: {class_path: emorec.data.RavdessDataModule, init_args: {batch_sze: 3}}",
            ("batch_sze", "did you mean batch_size?"),
        ),
        (
            b"trainer: {callbacks: [{class_path: emorec.callbacks.Thruput}]}",
            ("trainer.callbacks", "no attribute 'Thruput'"),
        ),
        (b"data: {class_path: emorec.data.RavdessDataModule}", ("model", "required")),
    ],
)
def test_a_wrong_config_ends_in_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    expected: tuple[str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("run.yaml").write_bytes(content)
    error = error_of(capsys, "fit", "--config", "run.yaml")
    assert [part for part in expected if part not in error] == []


@pytest.mark.parametrize(
    ("arguments", "value", "remedy"),
    [
        ("synth", "folder", "required"),
        ("synth clips --takes many", "many", "takes: Expected a int"),
        ("synth clips --actor 3", "--actor", "did you mean --actors?"),
        ("synth clips more", "more", "unrecognized"),
        ("synth clips --actors x", "'x'", "write numbers and ranges"),
        ("doctor --data_rot clips", "--data_rot", "did you mean --data_root?"),
    ],
)
def test_a_mistake_in_a_plain_command_ends_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: str, value: str, remedy: str
) -> None:
    error = error_of(capsys, *arguments.split())
    assert value in error
    assert remedy in error
