"""Tables, examples, commands and links of the README and docs are correct."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from emorec import models
from emorec.cli import COMMANDS, EXPERIMENTS, main
from emorec.models.flops import gflops_per_clip, num_parameters

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
SMALL_FIT = (
    *("--data", "RavdessDataModule", "--data.num_frames", "2", "--data.image_size", "16"),
    *("--data.num_workers", "0", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
    *("--trainer.limit_train_batches", "2"),
)
SHARED = {"ClipClassifier", "ClipNetwork", "ClipRegressor", "FrameClassifier"}
"""Base classes."""

FACES = {"FaceClassifier", "FaceRegressor"}
"""Networks with another image size."""

NETWORKS = [name for name in models.__all__ if name not in SHARED | FACES]


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [content for tag, content in fenced if tag == language]


def example(name: str) -> str:
    """Return the only Python block that contains a name."""
    (code,) = (block for block in blocks("python") if name in block)
    return code


def commands() -> list[str]:
    lines = "\n".join(blocks("")).replace("\\\n", " ").splitlines()
    return [line.partition(" #")[0].strip() for line in lines if re.search(r"\bemorec\b", line)]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_table_of_networks_has_their_size_and_cost(name: str) -> None:
    untrained = {"weights": "none"}
    if name == "AudioVisual":
        untrained = {"video_args": untrained}
    weightless = ("AudioCNN", "AudioEmbedding", "EarlyFusionCNN", "LandmarkRNN")
    if name.startswith(weightless):
        untrained = {}
    if name == "Fusion":
        networks = {"face": "LandmarkRNN", "voice": "AudioEmbedding"}
        untrained = {
            "networks": {key: {"class_path": f"emorec.models.{it}"} for key, it in networks.items()}
        }
    network = getattr(models, name)(**untrained)
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[4] == f"{num_parameters(network):,}"
    assert cells[5] == f"{gflops_per_clip(network):.1f}"


@pytest.mark.parametrize("name", sorted(FACES))
def test_the_face_networks_have_the_documented_size(name: str) -> None:
    network = getattr(models, name)(num_frames=1, image_size=96)
    sentence = f"`{name}` has {num_parameters(network):,} parameters and {gflops_per_clip(network):.1f} GFLOPs"
    assert sentence in " ".join(TEXT.split())


def test_the_example_network_is_valid(tmp_path: Path) -> None:
    code = example("MeanColour")
    namespace: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), namespace)
    network = namespace["MeanColour"](num_classes=5, num_frames=3, hidden_size=7)
    frames = torch.randint(0, 256, (2, 3, 3, 16, 16), dtype=torch.uint8)
    assert network(frames).shape == (2, 5)
    assert network.hparams["hidden_size"] == 7


def test_the_example_network_trains_from_a_file_in_the_current_folder(
    drawn_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_networks.py").write_text(example("MeanColour"))
    monkeypatch.chdir(tmp_path)
    main(["fit", "--model", "my_networks.MeanColour", *SMALL_FIT, "--data.root", str(drawn_clips)])
    (best,) = tmp_path.rglob("best.ckpt")
    main(["test", "--ckpt", str(best), "--trainer.accelerator", "cpu"])
    assert (best.parents[1] / "test" / "metrics.json").is_file()


@pytest.mark.parametrize("command", [line for line in commands() if "emorec fit" in line])
def test_the_training_commands_are_valid(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = command.replace("DIR", "clips")
    flags = shlex.split(command.partition("emorec fit")[2])
    if "--config" not in flags:
        flags = ["--config", "configs/cnn_lstm.yaml", *flags]
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", *flags, "--print_config"])
    assert not exit_info.value.code, capsys.readouterr().err


def test_every_command_is_in_the_readme_or_the_docs() -> None:
    for command in [*EXPERIMENTS, *COMMANDS]:
        assert f"emorec {command}" in TEXT


def test_the_readme_is_short_enough_to_read() -> None:
    assert len(README.splitlines()) <= 250


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_a_page_points_to_exists(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\((?!https:)([^)#]+)\)", text):
        assert (page.parent / target).exists(), target
    for config in re.findall(r"configs/[\w/]+\.yaml", text):
        assert (ROOT / config).is_file(), config
