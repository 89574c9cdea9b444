"""Wrong words and settings, as jsonargparse really complains of them, end in one line that says what is right."""

from pathlib import Path

import pytest

from tests.cli.test_command import refused

NETWORK = ("--model", "emorec.models.EarlyFusionCNN")
DATA = ("--data", "emorec.data.RavdessDataModule")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        # unknown options, the near one from the class that was chosen
        (
            "--data.batchsize 3",
            "data.batchsize: emorec.data.RavdessDataModule has no such option, "
            "did you mean data.batch_size?",
        ),
        (
            "--model.lrr 3",
            "model.lrr: emorec.models.EarlyFusionCNN has no such option, did you mean model.lr?",
        ),
        ("--model.backbone resnet18", "emorec.models.EarlyFusionCNN has no such option\n"),
        (
            "--traner.max_epochs 3",
            "--traner.max_epochs: there is no such option, did you mean --trainer.max_epochs?",
        ),
        ("--trainer.max_epoch=3", "did you mean --trainer.max_epochs?"),
        ("--checkpoint.savelast true", "did you mean --checkpoint.save_last?"),
        ("--foo", "--foo: there is no such option\n"),
        ("extra", "extra: there is no option before it"),
        # values
        ("--data.batch_size many", "data.batch_size is many: it takes a whole number\n"),
        ("--data.batch_size", "a value is missing after --data or --data.something"),
        ("--data.batch_size 0", "data.batch_size is 0: it has to be at least 1"),
        ("--data.batch_size -1", "data.batch_size is -1: it has to be at least 1"),
        ("--data.num_workers -1", "data.num_workers is -1: it has to be at least 0"),
        ("--data.num_frames 0", "data.num_frames is 0: it has to be at least 1"),
        (
            "--data.image_size 0",
            "image_size is 0: give the pixels of a side, or height and width such as",
        ),
        (
            "--data.image_size [60,0]",
            "image_size is (60, 0): give the pixels of a side, or height and",
        ),
        (
            "--data.image_size 60x100",
            "data.image_size is 60x100: it takes a whole number or two of them",
        ),
        ("--data.resize foo", "data.resize is foo: choose shorter_side or squash\n"),
        (
            "--data.augment maybe",
            "data.augment is maybe: choose per_frame, seed_affwild2, true or false\n",
        ),
        ("--data.split loos", "choose seed, msaf6, luna5, emobox6 or loso\n"),
        ("--data.split loso", "split loso needs --data.fold 1 to 24, not None"),
        ("--data.fold 2", "split seed has no folds: leave out --data.fold 2"),
        ("--model.lr high", "model.lr is high: it takes a number\n"),
        ("--model.lr -1", "lr -1.0 has to be above 0"),
        ("--model.dropout 2", "dropout probability has to be between 0 and 1, but got 2.0"),
        ("--trainer.max_epochs two", "trainer.max_epochs is two: it takes a whole number or null"),
        ("--trainer.max_epochs -2", "`max_epochs` must be a non-negative integer or -1"),
        ("--trainer.precision 17", "trainer.precision is 17: choose 64, 32, 16, transformer"),
        ("--trainer.accelerator abacus", "invalid accelerator name: `accelerator='abacus'`"),
        ("--trainer.devices x", "--trainer: `devices` selected with"),
        ("--trainer.callbacks foo", "it takes list[Callback], Callback or null"),
        ("--seed_everything x", "seed_everything is x: it takes true or false or a whole number"),
        # classes
        (
            "--model emorec.models.CNNLST",
            "no class emorec.models.CNNLST, did you mean emorec.models.CNNLSTM?",
        ),
        ("--model CNNLST", "did you mean emorec.models.CNNLSTM?"),
        ("--model emorec.modls.CNNLSTM", "did you mean emorec.models.CNNLSTM?"),
        ("--model my_net.Net", "no class my_net.Net (No module named 'my_net'); there are emorec."),
        (
            "--model emorec.data.RavdessDataModule",
            "is no ClipNetwork; choose emorec.models.AudioCNN",
        ),
        ("--data Ravdess", "did you mean emorec.data.RavdessDataModule?"),
        ("--model parts/nothing.yaml", "model: no such file: parts/nothing.yaml"),
        ("--model CNNLSTM --model.backbone resnet19", "did you mean resnet18?"),
        # what would not be obeyed
        ("--model.num_frames 4", "--model.num_frames always is what --data.num_frames is"),
        ("--model.num_classes 4", "--model.num_classes is what the data says it is"),
    ],
)
def test_a_wrong_word_ends_in_one_line_that_says_what_is_right(
    capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    start = (*NETWORK, *DATA, "--data.root", ".", "--trainer.max_epochs", "1")
    assert said in refused(capsys, "fit", *start, *words.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no configuration: emorec fit --config FILE --data.root DIR"),
        (("--data.root", "."), "no data set: name one with --config FILE or with --data"),
        (NETWORK, "no data set: name one"),
        (DATA, "no network: name one"),
        ((*DATA, "--model.lr", "1"), "no network: name one"),
        (("--config",), "a value is missing after -c/--config"),
        (("--ckpt",), "a value is missing after --ckpt"),
    ],
)
def test_what_is_missing_is_said_with_the_way_to_give_it(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, "fit", *words)


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
@pytest.mark.parametrize("words", [(), (*NETWORK, *DATA)])
def test_a_measurement_asks_for_a_checkpoint(
    capsys: pytest.CaptureFixture[str], command: str, words: tuple[str, ...]
) -> None:
    assert f"which network? emorec {command} --ckpt FILE" in refused(capsys, command, *words)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't read the configuration run.yaml: No such file or directory"),
        (b"", "run.yaml holds no settings"),
        (b"just a text", "run.yaml holds no settings"),
        (b"model: [1, {", "run.yaml line 1 is no YAML"),
        (b"\xff\xfe\x00", "run.yaml is no YAML: it is no text"),
        (b"optimizr: 3", "optimizr: there is no such option"),
        (b"trainer: {max_epoch: 3}", "did you mean trainer.max_epochs?"),
        (b"trainer: {max_epochs: [a]}", "trainer.max_epochs is ['a']: it takes a whole number"),
        (b"model: {class_path: emorec.models.CNN3}", "did you mean emorec.models.CNN3D?"),
        (b"model: parts/no.yaml", "model: no such file: parts/no.yaml"),
        (
            b"data: {class_path: emorec.data.RavdessDataModule, init_args: {batch_sze: 3}}",
            "did you mean data.batch_size?",
        ),
        (
            b"trainer: {callbacks: [{class_path: emorec.callbacks.Thruput}]}",
            "trainer.callbacks: no class emorec.callbacks.Thruput",
        ),
    ],
)
def test_a_wrong_configuration_ends_in_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("run.yaml").write_bytes(content)
    assert said in refused(capsys, "fit", "--config", "run.yaml")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("synth", "missing: folder"),
        ("synth clips --takes many", "takes is many: it takes a whole number"),
        ("synth clips --actor 3", "--actor: there is no such option, did you mean --actors?"),
        ("synth clips more", "more: there is no option before it"),
        ("synth clips --actors x", "actors is 'x': write numbers and ranges"),
        ("doctor --data_rot clips", "did you mean --data_root?"),
    ],
)
def test_the_plain_commands_complain_in_one_line_too(
    capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    assert said in refused(capsys, *words.split())
