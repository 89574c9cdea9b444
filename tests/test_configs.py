"""Every shipped config runs and has the documented settings."""

import re
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
STUDIES = [path.read_text() for path in sorted((ROOT / "configs" / "studies").glob("*.yaml"))]
IN_A_STUDY = [
    path for path in SEED if any(path.removeprefix("configs/") in text for text in STUDIES)
]
"""Recipes of the seed study with the networks of the other configs; the tests of studies make them."""

BY_NIGHT = r"configs/seed/|/hacer|/iemocap|/pretrained/|/audio_cnn_rnn"

# small enough for seconds on a CPU; the network, its schedule and its data are those of the config
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


FIXTURES = {
    "AffWild2DataModule": "drawn_affwild2",
    "HACERDataModule": "hacer_clips",
    "IemocapDataModule": "drawn_iemocap",
}
"""Map from data module to the fixture with its clips; the default has the layout of RAVDESS."""


def section_of(config: str, name: str) -> dict[str, Any]:
    """Return a section of a config, which may be another file."""
    section = yaml.safe_load((ROOT / config).read_text())[name]
    if isinstance(section, str):
        section = yaml.safe_load((ROOT / config).parent.joinpath(section).read_text())
    settings: dict[str, Any] = section
    return settings


def data_of(config: str) -> dict[str, Any]:
    """Return the data section of a config."""
    return section_of(config, "data")


def clips_for(config: str) -> str:
    """Return the name of the fixture with the clips of a config."""
    data = data_of(config)
    has_audio = any(data["init_args"].get(name) for name in ("sound", "sound_embedding"))
    default = "voiced_clips" if has_audio else "drawn_clips"
    return FIXTURES.get(data["class_path"].rpartition(".")[2], default)


def to_arguments(**options: object) -> list[str]:
    return [argument for name, value in options.items() for argument in (f"--{name}", str(value))]


def few_clips(folder: Path) -> Path:
    """Write clips of one training and one validation actor, large enough to show a face."""
    from emorec.data.synthetic.clips import write_dataset
    from emorec.data.synthetic.settings import ClipSettings

    settings = ClipSettings(width=96, height=96, num_frames=6)
    write_dataset(folder, actors=(1, 21), takes=1, settings=settings, num_workers=0)
    return folder


def no_weights(config: str) -> list[str]:
    """Return the flags that prevent a download of pretrained weights."""
    model = section_of(config, "model")["init_args"]
    flags = ["--model.weights", "none"] if "weights" in model else []
    has_video_weights = "weights" in model.get("video_args", {})
    return [*flags, "--model.video_args.weights", "none"] if has_video_weights else flags


@pytest.mark.parametrize("config", CONFIGS)
def test_the_first_line_of_a_config_is_the_command_that_runs_it(config: str) -> None:
    first = (ROOT / config).read_text().splitlines()[0]
    assert first.startswith(f"# emorec fit --config {config}")


@pytest.mark.parametrize(
    "config",
    [  # the seed study's own recipes train the same networks; other data sets have runs of their own
        pytest.param(path, marks=[pytest.mark.nightly] if re.search(BY_NIGHT, path) else [])
        for path in RAVDESS
        if path not in IN_A_STUDY
    ],
)
def test_a_config_runs(
    config: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options: dict[str, Any] = {**SMALL, "data.root": request.getfixturevalue(clips_for(config))}
    if "clip_cnn" in (ROOT / config).read_text():  # it needs larger clips
        options |= {"data.image_size": [45, 60], "data.num_frames": 9}
    file, text = ROOT / config, (ROOT / config).read_text()
    slower_to_make = {"landmarks": True, "sound_embedding": "both", "face": "align"}.items()
    settings = data_of(config)["init_args"]
    if any(settings.get(name) == value for name, value in slower_to_make):  # few and short clips
        options |= {"data.root": few_clips(tmp_path / "few"), "data.allow_missing_actors": True}
        if "sound_seconds: 4.0" in text and "parts/" not in text:
            file = tmp_path / "shorter.yaml"
            file.write_text(text.replace("sound_seconds: 4.0", "sound_seconds: 1.0"))
    main(["fit", "--config", str(file), *to_arguments(**options), *no_weights(config)])
    assert len(list(tmp_path.rglob("best.ckpt"))) == 1


@pytest.mark.nightly
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
    main(["fit", "--config", str(ROOT / config), *to_arguments(**options), *no_weights(config)])
    assert len(list(tmp_path.rglob("best.ckpt"))) == 1


@pytest.mark.parametrize("config", SEED)
def test_a_seed_config_has_the_hyperparameters_of_the_seed_study(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", "--config", str(ROOT / config), "--print_config"])
    assert not exit_info.value.code
    printed = yaml.safe_load(capsys.readouterr().out)
    model, data = printed["model"]["init_args"], printed["data"]["init_args"]
    early_fusion = "early_fusion_cnn" in config
    assert (data["image_size"], data["resize"], data["batch_size"]) == (112, "squash", 16)
    assert (data["modality"], data["augment"], data["num_frames"]) == ("both", "per_frame", 10)
    assert (model["optimizer"], model["lr"]) == ("adam", 1e-3 if early_fusion else 1e-4)
    assert model["weight_decay"] == (5e-4 if early_fusion else 1e-4)
    assert (model["scheduler"], model["plateau_patience"]) == ("plateau", 2)
    assert printed["early_stopping"]["monitor"] == "val/accuracy"
    assert printed["early_stopping"]["patience"] == 20


def test_the_audio_visual_config_has_the_inputs_of_the_seed_study(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = ROOT / "configs/seed/iemocap_audio_visual.yaml"
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", "--config", str(config), "--print_config"])
    assert not exit_info.value.code
    printed = yaml.safe_load(capsys.readouterr().out)
    model, data = printed["model"]["init_args"], printed["data"]["init_args"]
    assert (data["num_frames"], data["image_size"], data["resize"]) == (20, [60, 100], "squash")
    assert data["middle_seconds"] == data["sound_seconds"] == 3.0
    assert (data["split"], data["fold"], data["batch_size"]) == ("seed_random", None, 64)
    assert (model["optimizer"], model["lr"], printed["trainer"]["max_epochs"]) == ("adam", 1e-4, 15)
    assert (model["num_features"], model["fusion"]) == (64, "concat")
    assert model["video_args"]["backbone"] == "clip_cnn"
