"""Model cards: contents, valid Markdown, and the list of missing information."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from sklearn.metrics import precision_score, recall_score

from emorec import checkpoint
from emorec.data.clip import EMOTIONS
from emorec.errors import UserError
from emorec.models import EarlyFusionCNN
from emorec.report.card import model_card
from emorec.report.card_facts import network_record
from emorec.report.runs import read_run
from tests.report.made_checkpoints import write_checkpoint, write_regressor
from tests.report.made_runs import write_run

SECTIONS = (
    *("Model details", "Intended use", "Refused uses", "Factors", "Metrics", "Evaluation data"),
    *("Training data", "Quantitative analyses", "Ethical considerations"),
    *("Caveats and recommendations", "Not measured, not recorded"),
)


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tested run on the split `seed`, with calibrated probabilities."""
    folder = write_run(
        tmp_path_factory.mktemp("run") / "version_0", network="EarlyFusionCNN", temperature=2.0
    )
    return write_checkpoint(folder / "checkpoints" / "best.ckpt", temperatures={1: 2.0})


@pytest.fixture(scope="module")
def card(ckpt: Path) -> str:
    return model_card(checkpoint.read(ckpt))


def tables_of(card: str) -> dict[str, list[list[str]]]:
    """Map the heading of each table's first column to its rendered rows."""
    tables: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(card):
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level > 3:
            text = "".join(part.content for part in token.children or [])
            rows[-1].append(text)
        elif token.type == "table_close":
            tables[rows[0][0] or f"table {len(tables)}"] = rows[1:]
            assert {len(row) for row in rows} == {len(rows[0])}
            rows = []
    return tables


def test_the_card_has_the_sections_of_the_paper_in_order(card: str) -> None:
    headings = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert headings == list(SECTIONS)
    assert card.count("\n# ") == 0


def test_every_table_of_the_card_renders_completely(card: str) -> None:
    html = MarkdownIt("commonmark").enable("table").render(card)
    assert html.count("<table>") == len(tables_of(card)) >= 12
    assert "| " not in html
    assert "{{" not in html


def test_scores_equal_scikit_learn(card: str, ckpt: Path) -> None:
    clips = pd.read_csv(ckpt.parents[1] / "test" / "predictions.csv")
    tables = tables_of(card)
    options = {"labels": list(EMOTIONS), "average": None, "zero_division": 0}
    recalls = recall_score(clips["emotion"], clips["predicted"], **options)
    precisions = precision_score(clips["emotion"], clips["predicted"], **options)
    rows = [(row[0], row[2], row[4]) for row in tables["class"]]
    expected = zip(EMOTIONS, recalls, precisions, strict=True)
    assert rows == [(name, f"{100 * r:.1f}", f"{100 * p:.1f}") for name, r, p in expected]
    assert tables["metric"][0][:2] == ["UAR", f"{100 * recalls.mean():.1f}"]


def test_groups_are_derived_from_the_names_of_the_clips(card: str, ckpt: Path) -> None:
    clips = pd.read_csv(ckpt.parents[1] / "test" / "predictions.csv")
    correct = clips["predicted"] == clips["emotion"]
    strong = clips["path"].str.split("-").str[3] == "02"
    woman = clips["actor"] == 24
    tables = tables_of(card)
    assert {row[0]: row[3] for row in tables["intensity"]} == {
        "normal": f"{100 * correct[~strong].mean():.1f}",
        "strong": f"{100 * correct[strong].mean():.1f}",
    }
    groups = {row[0]: row[3] for row in tables["sex and intensity"]}
    assert groups["female, strong"] == f"{100 * correct[strong & woman].mean():.1f}"
    assert [row[0] for row in tables["actor"]] == ["23", "24"]


def test_calibrated_scores_are_those_of_the_calibrated_probabilities(card: str, ckpt: Path) -> None:
    metrics = json.loads((ckpt.parents[1] / "test" / "metrics.json").read_text())
    figures = {row[0]: row[1] for row in tables_of(card)["metric"]}
    assert figures["ECE"] == f"{100 * metrics['ece']:.1f}"
    assert (
        figures["ECE, calibrated at temperature 2.00"] == f"{100 * metrics['ece_calibrated']:.1f}"
    )
    assert "After temperature scaling:" in card


def test_a_subset_of_ravdess_is_not_called_ravdess(tmp_path: Path, card: str) -> None:
    path = write_checkpoint(tmp_path / "best.ckpt")
    trained = checkpoint.read(path)
    synthetic = replace(
        trained, split={**trained.split, "num_clips": {"train": 320, "val": 32, "test": 32}}
    )
    assert "trained on RAVDESS." in model_card(trained)
    assert (
        "RAVDESS or clips named like it (384 clips of 24 people instead of 1,440)."
        in model_card(synthetic)
    )
    # without test clips
    counts = {"train": 1200, "val": 120, "test": 0}
    without_test = replace(trained, split={**trained.split, "num_clips": counts})
    assert "trained on RAVDESS." in model_card(without_test)


def test_the_card_has_the_licence_and_the_refused_uses(card: str) -> None:
    assert "CC BY-NC-SA 4.0" in card
    for word in ("hiring", "Police", "border control", "diagnosis", "Schools", "2024/1689"):
        assert word in card
    assert "Art. 5(1)(f)" in card
    assert "not one that anybody felt" in card


def test_the_card_is_deterministic_and_has_no_local_path(card: str, ckpt: Path) -> None:
    assert model_card(checkpoint.read(ckpt)) == card
    assert "/home/ann" not in card
    assert str(ckpt.parent) not in card


def test_missing_information_is_listed_with_its_source(card: str) -> None:
    missing = {row[0]: row[1] for row in tables_of(card)["what"]}
    assert "who trained it, and whom to contact" in missing
    assert not any("calibrated" in entry or "versions" in entry for entry in missing)


def test_the_card_of_an_untested_network_has_the_command_that_tests_it(tmp_path: Path) -> None:
    card = model_card(checkpoint.read(write_checkpoint(tmp_path / "checkpoints" / "best.ckpt")))
    assert "**Not measured: this network was never tested" in card
    assert "    emorec test --ckpt checkpoints/best.ckpt\n" in card
    assert "Its performance was not measured." in card
    assert "metric" not in tables_of(card)
    missing = {row[0]: row[1] for row in tables_of(card)["what"]}
    how = missing["calibrated probabilities"]
    assert how.startswith("emorec validate --ckpt checkpoints/best.ckpt --calibrate, then")
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == list(SECTIONS)


def test_scores_of_another_checkpoint_are_omitted(ckpt: Path) -> None:
    last = write_checkpoint(ckpt.with_name("last.ckpt"), epochs=20)
    card = model_card(checkpoint.read(last))
    assert "is of another checkpoint (its epochs is 12, here it is 20)" in card
    assert "metric" not in tables_of(card)


def test_a_leak_is_at_the_top_of_the_card(
    tmp_path: Path,
) -> None:
    folder = write_run(
        tmp_path / "run", network="EarlyFusionCNN", sides={"train": [1, 23], "test": [23, 24]}
    )
    card = model_card(checkpoint.read(write_checkpoint(folder / "checkpoints" / "best.ckpt")))
    first = next(line for line in card.splitlines() if line.startswith(">"))
    assert first.startswith(
        "> **LEAK in this network: actor 23 is in the training and the test set."
    )
    assert "People it was not trained on" not in card


def test_markdown_characters_in_names_are_escaped(tmp_path: Path) -> None:
    names = ["a|b", "*c*", "<d>", "e_f_", "g", "h", "i", "j"]
    folder = write_run(tmp_path / "run", network="EarlyFusionCNN", class_names=names)
    path = write_checkpoint(folder / "checkpoints" / "best.ckpt", class_names=names)
    tables = tables_of(model_card(checkpoint.read(path)))
    assert [row[0] for row in tables["class"]] == names


def test_the_card_of_a_regressor_has_its_own_scores(tmp_path: Path) -> None:
    path, target, predicted = write_regressor(tmp_path)
    card = model_card(checkpoint.read(path))
    apart = (target.mean(axis=0) - predicted.mean(axis=0)) ** 2
    covariance = ((target - target.mean(axis=0)) * (predicted - predicted.mean(axis=0))).mean(
        axis=0
    )
    ccc = 2 * covariance / (target.var(axis=0) + predicted.var(axis=0) + apart)
    rows = {row[0]: row[1] for row in tables_of(card)["metric"] if row[0].startswith("CCC")}
    assert rows == {
        "CCC": f"{ccc.mean():.3f}",
        "CCC valence": f"{ccc[0]:.3f}",
        "CCC arousal": f"{ccc[1]:.3f}",
    }
    assert {row[0] for row in tables_of(card)["video"]} == {"video0", "video1", "video2"}
    assert "non-commercial research only" in card
    assert "calibrated" not in card


@pytest.mark.parametrize("regression", [False, True])
def test_parameters_of_an_older_checkpoint_are_counted(tmp_path: Path, regression: bool) -> None:
    if regression:
        path, *_ = write_regressor(tmp_path)
    else:
        path = write_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    record = checkpoint.read(path)
    assert record.network
    assert model_card(record) == model_card(replace(record, network={}))


def test_the_card_of_a_network_that_trained_on_everybody_has_the_figures_of_a_cross_validation(
    tmp_path: Path,
) -> None:
    everybody = write_checkpoint(
        tmp_path / "best.ckpt",
        EarlyFusionCNN(num_frames=2, image_size=32, lr=1e-3),
        split={
            **checkpoint.load(write_checkpoint(tmp_path / "other.ckpt"))["emorec"]["split"],
            "name": "all",
            "train": list(range(1, 25)),
            "val": [],
            "test": [],
        },
    )
    folders = [
        write_run(
            tmp_path / f"{fold}_{seed}",
            network="EarlyFusionCNN",
            split="msaf6",
            fold=fold,
            seed=seed,
        )
        for fold in range(1, 7)
        for seed in (0, 1)
    ]
    (modality,) = network_record(checkpoint.read(everybody))["modalities"]
    for folder in folders:
        shutil.copytree(folder / "test", folder / f"test_without_{modality}")
    card = model_card(checkpoint.read(everybody), [read_run(folder) for folder in folders])
    recalls = []
    for seed in (0, 1):
        clips = pd.concat(
            pd.read_csv(tmp_path / f"{fold}_{seed}" / "test" / "predictions.csv")
            for fold in range(1, 7)
        )
        recalls.append(recall_score(clips["emotion"], clips["predicted"], average="macro"))
    uar = f"{50 * sum(recalls):.1f}"
    tables = tables_of(card)
    assert tables["metric"][0][:2] == ["UAR", uar]
    assert "Cross-validated, on people who did not train: UAR " + uar in card
    assert "1,440 clips of 24 people" in card
    assert "12 networks, split `msaf6`, 2 seeds averaged" in card
    assert "The network of this card trained on all of them" in " ".join(card.split())
    assert len(tables["actor"]) == 24
    assert tables["without"] == [[modality, uar, tables["metric"][0][2]]]
    other = write_run(tmp_path / "other", network="CNN3D", split="msaf6", fold=1)
    with pytest.raises(UserError, match="the tests are of 2 models"):
        model_card(checkpoint.read(everybody), [read_run(folders[0]), read_run(other)])
    with pytest.raises(UserError, match=r"fold|clips"):
        model_card(checkpoint.read(everybody), [read_run(folder) for folder in folders[:-1]])
