"""Tables, examples, commands and links of the README and docs are correct."""

import functools
import importlib
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from emorec import models
from emorec.cli import COMMANDS, EXPERIMENTS, main, predicts_data
from emorec.data.synthetic.clips import draw_talk
from emorec.data.synthetic.settings import ClipSettings
from emorec.models.flops import gflops_per_clip, num_parameters

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
NOTEBOOKS = {path: json.loads(path.read_text())["cells"] for path in sorted(DOCS.rglob("*.ipynb"))}
TEXT = "\n".join(page.read_text() for page in PAGES)
TREE_ENTRY = r"^(?:[^:].*<)?([\w/]+)>?$"
"""A page in a table of contents, with or without a title."""

BASH = "%%bash\n"
"""First line of a cell with commands."""
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


def blocks(language: str, text: str = TEXT) -> list[str]:
    fenced = re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [content for tag, content in fenced if tag == language]


def example(name: str, language: str = "python") -> str:
    """Return the only block that contains a name."""
    (code,) = (block for block in blocks(language) if name in block)
    return code


def documented_commands() -> list[list[str]]:
    """Return the words after `emorec` of every command in the README, the docs and the notebooks, each once."""
    cells = ["".join(cell["source"]) for cells in NOTEBOOKS.values() for cell in cells]
    shell = [cell.removeprefix(BASH) for cell in cells if cell.startswith(BASH)]
    lines = "\n".join([*blocks(""), *blocks("bash"), *shell]).replace("\\\n", " ").splitlines()
    found = (re.search(r"(?:^|\s)emorec (.*)", line.partition(" #")[0]) for line in lines)
    return [shlex.split(text) for text in dict.fromkeys(each[1].strip() for each in found if each)]


def of_experiment(words: list[str]) -> bool:
    """Whether LightningCLI parses a command."""
    return words[0] in EXPERIMENTS and (words[0] != "predict" or predicts_data(words[1:]))


COMMAND_LINES = documented_commands()


def command_lines(*, experiments: bool) -> Any:
    """Return the commands of one kind, with their text as names of tests."""
    chosen = [words for words in COMMAND_LINES if of_experiment(words) == experiments]
    return pytest.mark.parametrize("words", chosen, ids=map(shlex.join, chosen))


@pytest.fixture
def folder_of_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a folder with the files that a reader of the docs writes, and the configs of a clone."""
    networks = [
        block for block in blocks("python") if re.search(r"class \w+\(\w*Classifier\)", block)
    ]
    (tmp_path / "my_networks.py").write_text("\n\n".join(networks))
    (tmp_path / "my_data.py").write_text(example("CremaDataModule"))
    (tmp_path / "mean_colour.yaml").write_text(example("my_networks.MeanColour", "yaml"))
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[3] == f"{num_parameters(network):,}"
    assert cells[4] == f"{gflops_per_clip(network):.1f}"


@pytest.mark.parametrize("name", sorted(FACES))
def test_the_face_networks_have_the_documented_size(name: str) -> None:
    network = getattr(models, name)(num_frames=1, image_size=96)
    sentence = f"`{name}` has {num_parameters(network):,} parameters and {gflops_per_clip(network):.1f} GFLOPs"
    assert sentence in " ".join(TEXT.split())


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("MeanColour", {"frames": torch.zeros(2, 3, 3, 32, 32, dtype=torch.uint8)}),
        ("MeanAndDeviation", {"frames": torch.zeros(2, 3, 3, 32, 32, dtype=torch.uint8)}),
        ("BlendshapeClassifier", {"blendshapes": torch.zeros(2, 3, 52)}),
    ],
)
def test_an_example_network_is_valid(name: str, inputs: dict[str, torch.Tensor]) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(example(f"class {name}("), "networks.md", "exec"), namespace)
    own = {"weights": "none"} if name == "MeanAndDeviation" else {}
    network = namespace[name](num_classes=5, num_frames=3, image_size=32, **own)
    assert network.output(inputs).shape == (2, 5)
    assert gflops_per_clip(network) >= 0
    assert network.hparams["num_classes"] == 5


def test_the_example_network_trains_by_its_config_in_the_current_folder(
    drawn_clips: Path, folder_of_a_reader: Path
) -> None:
    main(["fit", "--config", "mean_colour.yaml", *SMALL_FIT, "--data.root", str(drawn_clips)])
    (best,) = folder_of_a_reader.rglob("best.ckpt")
    main(["test", "--ckpt", str(best), "--trainer.accelerator", "cpu"])
    assert (best.parents[1] / "test" / "metrics.json").is_file()


@pytest.mark.parametrize(
    "code", dict.fromkeys(blocks("python")), ids=lambda code: code.split("\n")[0]
)
def test_an_example_is_valid_python(code: str) -> None:
    assert compile(code, "docs", "exec")


def test_the_example_of_a_prediction_prints_the_emotions_of_a_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = {
        block
        for block in blocks("python")
        if 'predict("talk.mp4", abstain' in block and "for" in block
    }
    settings = ClipSettings(width=64, height=64, num_frames=12)
    (tmp_path / "talk.mp4").write_bytes(draw_talk(["happy"], settings))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("0.0 s, person ")


def test_the_example_data_set_reads_clips_and_keeps_people_apart(
    drawn_clips: Path, tmp_path: Path
) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(example("class CremaDataModule("), "datasets.md", "exec"), namespace)
    emotions = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    clips = sorted(drawn_clips.rglob("01-01-*.mp4"))
    for number in range(60):  # ten actors
        name = f"{1001 + number // 6}_DFA_{emotions[number % 6]}_XX.mp4"
        shutil.copy(clips[number], tmp_path / name)
    shutil.copy(clips[0], tmp_path / "other.mp4")
    data = namespace["CremaDataModule"](
        str(tmp_path), num_frames=2, image_size=16, num_workers=0, cache="none"
    )
    data.setup("fit")
    index = data.find()
    assert len(index.clips) == 60
    assert [path.name for path, _ in index.other_files] == ["other.mp4"]
    assert index.clips[1].label == data.class_names.index("disgust")
    assert {*data.split.train} | {*data.split.val} | {*data.split.test} == {
        str(1001 + number) for number in range(10)
    }
    assert next(iter(data.train_dataloader()))["frames"].shape[1:] == (2, 3, 16, 16)


@command_lines(experiments=True)
def test_a_command_of_an_experiment_is_valid(
    words: list[str], capsys: pytest.CaptureFixture[str], folder_of_a_reader: Path
) -> None:
    command, *flags = words
    text = shlex.join(flags)
    named = [
        word for word in flags if word.endswith((".ckpt", "version_0")) or word.startswith("hf://")
    ]
    if "--ckpt" in flags:  # the built-in network stands for one that the reader has trained
        sets = {"Face": "AffWild2DataModule"}
        data = next((["--data", data] for name, data in sets.items() if name in text), [])
        flags = [*data, *("face_and_sound" if word in named else word for word in flags)]
    elif not {"--config", "-c"} & {*flags}:
        flags = ["--config", "configs/cnn_lstm.yaml", *flags]
    if any(flag.startswith("--model.help") for flag in flags):
        flags = flags[:2]
    with pytest.raises(SystemExit) as exit_info:
        main([command, *flags, "--print_config"])
    assert not exit_info.value.code, capsys.readouterr().err


@command_lines(experiments=False)
def test_a_plain_command_is_valid(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, *flags = words
    module = importlib.import_module(f"emorec.cli.commands.{command}")
    called = []

    @functools.wraps(getattr(module, command))
    def record(*arguments: Any, **options: Any) -> None:
        called.append((arguments, options))

    monkeypatch.setattr(module, command, record)
    main([command, *flags])
    assert called, capsys.readouterr().err


def test_the_navigation_lists_every_page() -> None:
    listed = {DOCS / "index"}
    for page in PAGES[1:]:
        for tree in blocks("{toctree}", page.read_text()):
            listed |= {page.parent / name for name in re.findall(TREE_ENTRY, tree, re.MULTILINE)}
    assert listed == {path.with_suffix("") for path in [*PAGES[1:], *NOTEBOOKS]}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_has_no_outputs(path: Path) -> None:
    code = [cell for cell in NOTEBOOKS[path] if cell["cell_type"] == "code"]
    assert len(code) > 3
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []


def test_pictures_of_the_docs_are_small() -> None:
    assert [path for path in DOCS.rglob("*.png") if path.stat().st_size > 60_000] == []


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


def test_the_docs_name_exactly_the_variables_that_are_read() -> None:
    table = re.findall(
        r"^\| `(EMOREC_\w+)`", (ROOT / "docs/command_line.md").read_text(), re.MULTILINE
    )
    code = "".join(path.read_text() for path in (ROOT / "emorec").rglob("*.py"))
    assert sorted(table) == sorted({*re.findall(r"\bEMOREC_[A-Z0-9_]+", code)})
