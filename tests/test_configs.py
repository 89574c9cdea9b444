"""Every shipped experiment is what it says and runs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from emorec.cli import main
from tests.affwild2 import write_affwild2, write_features

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "configs").rglob("*.yaml")
    if path.parent.name not in ("parts", "studies")
)
AFFWILD2 = [path for path in CONFIGS if "affwild2" in path]
RAVDESS = [path for path in CONFIGS if path not in AFFWILD2]
SEED = [path for path in RAVDESS if path.startswith("configs/seed/") and "iemocap" not in path]

# small enough for a moment on a CPU; the network, its schedule and its data are the config's own
SMALL = {
    "data.image_size": 32,
    "data.num_frames": 4,
    "data.batch_size": 4,
    "data.num_workers": 0,
    "trainer.max_epochs": 1,
    "trainer.limit_train_batches": 1,
    "trainer.limit_val_batches": 1,
    "trainer.num_sanity_val_steps": 0,
    "trainer.accelerator": "cpu",
}


OF_DATA = {
    "AffWild2DataModule": "drawn_affwild2",
    "HACERDataModule": "hacer_clips",
    "IemocapDataModule": "drawn_iemocap",
}
"""Data module -> the fixture with clips for it; the others read those shaped like RAVDESS."""


def clips_for(config: str) -> str:
    """The name of the fixture with the clips of a config."""
    content = yaml.safe_load((ROOT / config).read_text())
    data, arguments = content["data"], content["model"]["init_args"]
    if isinstance(data, str):
        data = yaml.safe_load((ROOT / config).parent.joinpath(data).read_text())
    hears = any("Audio" in str(value) or name == "scale" for name, value in arguments.items())
    usual = "voiced_clips" if hears else "drawn_clips"
    return OF_DATA.get(data["class_path"].rpartition(".")[2], usual)


def words(**options: object) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def no_weights(config: str) -> list[str]:
    """What keeps pretrained weights from being downloaded."""
    model = yaml.safe_load((ROOT / config).read_text())["model"]["init_args"]
    own = ["--model.weights", "none"] if "weights" in model else []
    sees = "weights" in model.get("video_args", {})
    return [*own, "--model.video_args.weights", "none"] if sees else own


@pytest.mark.parametrize("config", CONFIGS)
def test_the_first_line_of_a_config_is_the_command_that_runs_it(config: str) -> None:
    first = (ROOT / config).read_text().splitlines()[0]
    assert first.startswith(f"# emorec fit --config {config}")


@pytest.mark.parametrize("config", RAVDESS)
def test_a_config_runs(
    config: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {**SMALL, "data.root": request.getfixturevalue(clips_for(config))}
    if "clip_cnn" in (ROOT / config).read_text():  # it takes no smaller clips
        options |= {"data.image_size": [45, 60], "data.num_frames": 9}
    main(["fit", "--config", str(ROOT / config), *words(**options), *no_weights(config)])
    assert len(list(tmp_path.rglob("best.ckpt"))) == 1


@pytest.mark.parametrize("config", AFFWILD2)
def test_a_config_of_aff_wild2_runs(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data: dict[str, Any] = yaml.safe_load((ROOT / config).read_text())["data"]["init_args"]
    root = write_affwild2(tmp_path / "affwild2")
    options = SMALL | {"data.root": root, "data.image_size": data["image_size"]}
    options["data.num_frames"] = min(4, data["num_frames"])
    if "rnn" in config:
        write_features(root, tmp_path / "features", 300)
        options["data.features"] = tmp_path / "features"
    main(["fit", "--config", str(ROOT / config), *words(**options), *no_weights(config)])
    assert len(list(tmp_path.rglob("best.ckpt"))) == 1


@pytest.mark.parametrize("config", SEED)
def test_a_seed_recipe_is_the_seed_study_s(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--config", str(ROOT / config), "--print_config"])
    assert not ended.value.code
    full = yaml.safe_load(capsys.readouterr().out)
    model, data = full["model"]["init_args"], full["data"]["init_args"]
    plain = "early_fusion_cnn" in config
    assert (data["image_size"], data["resize"], data["batch_size"]) == (112, "squash", 16)
    assert (data["modality"], data["augment"], data["num_frames"]) == ("both", "per_frame", 10)
    assert (model["optimizer"], model["lr"]) == ("adam", 1e-3 if plain else 1e-4)
    assert model["weight_decay"] == (5e-4 if plain else 1e-4)
    assert (model["scheduler"], model["plateau_patience"]) == ("plateau", 2)
    assert full["early_stopping"]["monitor"] == "val/accuracy"
    assert full["early_stopping"]["patience"] == 20


def test_what_the_seed_study_of_two_senses_saw_and_heard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = ROOT / "configs/seed/iemocap_audio_visual.yaml"
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--config", str(config), "--print_config"])
    assert not ended.value.code
    full = yaml.safe_load(capsys.readouterr().out)
    model, data = full["model"]["init_args"], full["data"]["init_args"]
    assert (data["num_frames"], data["image_size"], data["resize"]) == (20, [60, 100], "squash")
    assert data["middle_seconds"] == data["sound_seconds"] == 3.0
    assert (data["split"], data["fold"], data["batch_size"]) == ("seed_random", None, 64)
    assert (model["optimizer"], model["lr"], full["trainer"]["max_epochs"]) == ("adam", 1e-4, 15)
    assert (model["num_features"], model["fusion"]) == (64, "concat")
    assert model["video_args"]["backbone"] == "clip_cnn"
