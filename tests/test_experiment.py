"""Parsing an experiment without running it."""

from pathlib import Path

import pytest
import yaml

from emorec.cli.experiment import run_experiment
from emorec.errors import UserError
from emorec.experiment import Experiment, parse_experiment

NETWORK = ("--model", "emorec.models.EarlyFusionCNN")
DATA = ("--data", "emorec.data.RavdessDataModule", "--data.num_frames", "3")


def test_network_arguments_are_derived_from_the_data() -> None:
    experiment = parse_experiment([*NETWORK, *DATA, "--data.image_size", "[24,40]"])
    model, data = experiment.instantiate(load_weights=False)
    assert (model.hparams["num_frames"], model.hparams["image_size"]) == (3, (24, 40))
    assert model.hparams["num_classes"] == data.num_classes


def test_the_data_can_be_instantiated_alone_with_another_setting() -> None:
    experiment = parse_experiment([*NETWORK, *DATA, "--data.split", "msaf6", "--data.fold", "1"])
    experiment.config.data.init_args.fold = 2
    assert experiment.instantiate_data().hparams["fold"] == 2
    assert experiment.to_dict()["data"]["init_args"]["fold"] == 2


def test_exported_settings_are_a_config_of_the_same_experiment(tmp_path: Path) -> None:
    settings = parse_experiment([*NETWORK, *DATA, "--trainer.max_epochs", "2"]).to_dict()
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    assert parse_experiment(["--config", str(path)]).to_dict() == settings
    assert settings["trainer"]["max_epochs"] == 2
    assert "num_frames" not in settings["model"]["init_args"]  # it is derived from the data


def test_ignored_sections_are_not_validated(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    sections = {"model": {"class_path": "no.such.Network"}, "trainer": {"no": 1}, "features": "hog"}
    path.write_text(yaml.safe_dump({**sections, "data": DATA[1]}))
    ignored = ("model", "trainer", "ckpt", "checkpoint", "early_stopping", "features")
    experiment = parse_experiment(["--config", str(path)], ignored=ignored)
    assert experiment.config.features == "hog"
    assert experiment.instantiate_data().hparams["num_frames"] == 10


@pytest.mark.parametrize(
    ("root", "message"),
    [(["--data.root", "nowhere"], "no such folder: nowhere"), ([], "no data folder: name it with")],
)
def test_a_missing_data_folder_ends_a_training_before_weights_are_downloaded(
    root: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Experiment, "instantiate", lambda _: pytest.fail("the network is made"))
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT", raising=False)
    with pytest.raises(UserError, match=message):
        run_experiment("fit", [*NETWORK, *DATA, *root])


def test_an_invalid_value_is_a_user_error() -> None:
    experiment = parse_experiment([*NETWORK, *DATA, "--data.batch_size", "0"])
    with pytest.raises(UserError, match="batch_size is 0"):
        experiment.instantiate_data()
    with pytest.raises(UserError, match="batch_size is 0"):
        experiment.instantiate()


FUSION = ("--config", str(Path(__file__).parents[1] / "configs" / "face_and_sound.yaml"))


def test_one_setting_of_one_network_of_a_fusion_can_be_changed() -> None:
    face, voice = "--model.networks.face", "--model.networks.voice"
    flags = (f"{face}.dropout", "0.25", f"{voice}.init_args.hidden_size=1e1", f"{voice}.pool=mean")
    before, after = (
        parse_experiment([*FUSION, *more]).config.model.init_args.networks for more in ((), flags)
    )
    expected = {name: {**each, "init_args": {**each["init_args"]}} for name, each in before.items()}
    expected["face"]["init_args"]["dropout"] = 0.25
    expected["voice"]["init_args"] |= {"hidden_size": 10.0, "pool": "mean"}
    assert after == expected


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--model.networks.nose.dropout", "1"), "no such network: choose face or voice"),
        (("--model.networks.face.dropout", "--model.lr"), "face.dropout needs a value"),
    ],
)
def test_a_setting_of_no_network_is_refused(flags: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_experiment([*FUSION, *flags])
