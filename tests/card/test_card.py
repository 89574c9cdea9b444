"""A card tells what its run tells, in Markdown that renders, and says what nobody measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from markdown_it import MarkdownIt
from sklearn.metrics import precision_score, recall_score

from emorec import checkpoint
from emorec.card.card import card_of
from emorec.cli import main
from emorec.data.labels import EMOTIONS
from emorec.evaluation.predictions import read_predictions
from emorec.models.regressor import concordance
from tests.card.made_run import write_checkpoint, write_regressor
from tests.comparison.made_runs import write_run

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
    return card_of(checkpoint.read(ckpt))


def tables_of(card: str) -> dict[str, list[list[str]]]:
    """Heading of a table's first column -> its other lines, as a browser would show them."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(card):
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level > 3:
            shown = "".join(part.content for part in token.children or [])
            rows[-1].append(shown)
        elif token.type == "table_close":
            found[rows[0][0] or f"table {len(found)}"] = rows[1:]
            assert {len(row) for row in rows} == {len(rows[0])}
            rows = []
    return found


def test_the_card_has_the_sections_of_the_paper_in_their_order(card: str) -> None:
    headings = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert headings == list(SECTIONS)
    assert card.count("\n# ") == 0


def test_every_table_of_the_card_renders_and_no_line_of_one_is_left_over(card: str) -> None:
    shown = MarkdownIt("commonmark").enable("table").render(card)
    assert shown.count("<table>") == len(tables_of(card)) >= 12
    assert "| " not in shown
    assert "{{" not in shown


def test_the_figures_are_those_that_scikit_learn_gives_for_the_predictions(
    card: str, ckpt: Path
) -> None:
    said = read_predictions(ckpt.parents[1] / "test" / "predictions.csv").predictions
    true, predicted = said.target.numpy(), said.predicted.numpy()
    tables = tables_of(card)
    recalls = recall_score(true, predicted, average=None)
    precisions = precision_score(true, predicted, average=None, zero_division=0)
    shown = [(row[0], row[2], row[4]) for row in tables["class"]]
    expected = zip(EMOTIONS, recalls, precisions, strict=True)
    assert shown == [(name, f"{100 * r:.1f}", f"{100 * p:.1f}") for name, r, p in expected]
    assert tables["figure"][0][:2] == ["UAR", f"{100 * recalls.mean():.1f}"]


def test_the_groups_are_counted_from_the_names_of_the_clips(card: str, ckpt: Path) -> None:
    predictions = read_predictions(ckpt.parents[1] / "test" / "predictions.csv")
    right = predictions.predictions.predicted == predictions.predictions.target
    strong = torch.tensor([path.split("-")[3] == "02" for path in predictions.paths])
    woman = torch.tensor([actor == "24" for actor in predictions.actors])
    tables = tables_of(card)
    assert {row[0]: row[3] for row in tables["intensity"]} == {
        "normal": f"{100 * right[~strong].float().mean():.1f}",
        "strong": f"{100 * right[strong].float().mean():.1f}",
    }
    both = {row[0]: row[3] for row in tables["sex and intensity"]}
    assert both["female, strong"] == f"{100 * right[strong & woman].float().mean():.1f}"
    assert [row[0] for row in tables["actor"]] == ["23", "24"]


def test_calibrated_figures_are_those_of_the_calibrated_probabilities(
    card: str, ckpt: Path
) -> None:
    metrics = json.loads((ckpt.parents[1] / "test" / "metrics.json").read_text())
    figures = {row[0]: row[1] for row in tables_of(card)["figure"]}
    assert figures["ECE"] == f"{100 * metrics['ece']:.1f}"
    assert (
        figures["ECE, calibrated at temperature 2.00"] == f"{100 * metrics['ece_calibrated']:.1f}"
    )
    assert "After the temperature:" in card


def test_clips_that_are_not_all_of_ravdess_are_not_called_ravdess(
    tmp_path: Path, card: str
) -> None:
    path = write_checkpoint(tmp_path / "best.ckpt")
    said = checkpoint.read(path)
    drawn = replace(said, split={**said.split, "num_clips": {"train": 320, "val": 32, "test": 32}})
    assert "trained on RAVDESS." in card_of(said)
    assert (
        "RAVDESS or clips laid out like it (384 clips of 24 people, of whom RAVDESS has 1,440)."
        in card_of(drawn)
    )
    # no test actor is at hand
    counts = {"train": 1200, "val": 120, "test": 0}
    without_test = replace(said, split={**said.split, "num_clips": counts})
    assert "trained on RAVDESS." in card_of(without_test)


def test_the_licence_and_the_refused_uses_are_told(card: str) -> None:
    assert "CC BY-NC-SA 4.0" in card
    for word in ("hiring", "Police", "border control", "diagnosis", "Schools", "2024/1689"):
        assert word in card
    assert "Art. 5(1)(f)" in card
    assert "not one that anybody felt" in card


def test_the_same_run_gives_the_same_bytes_and_no_path_of_this_machine(
    card: str, ckpt: Path
) -> None:
    assert card_of(checkpoint.read(ckpt)) == card
    assert "/home/ann" not in card
    assert str(ckpt.parent) not in card


def test_what_the_run_does_not_say_is_told_with_what_would(card: str) -> None:
    missing = {row[0]: row[1] for row in tables_of(card)["what"]}
    assert "who trained it, and whom to ask" in missing
    assert not any("calibrated" in what or "versions" in what for what in missing)


def test_a_network_that_was_never_tested_says_so_and_how_to_test_it(tmp_path: Path) -> None:
    card = card_of(checkpoint.read(write_checkpoint(tmp_path / "checkpoints" / "best.ckpt")))
    assert "**Not measured: this network was never tested" in card
    assert "    emorec test --ckpt checkpoints/best.ckpt\n" in card
    assert "How well it does was not measured." in card
    assert "figure" not in tables_of(card)
    missing = {row[0]: row[1] for row in tables_of(card)["what"]}
    how = missing["how sure it may be (calibrated probabilities)"]
    assert how.startswith("emorec validate --ckpt checkpoints/best.ckpt --calibrate, then")
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == list(SECTIONS)


def test_the_figures_of_another_checkpoint_are_not_taken(ckpt: Path) -> None:
    last = write_checkpoint(ckpt.with_name("last.ckpt"), epochs=20)
    card = card_of(checkpoint.read(last))
    assert "is of another checkpoint (its epochs is 12, here it is 20)" in card
    assert "figure" not in tables_of(card)


def test_a_person_who_trained_and_was_tested_is_the_first_thing_the_card_says(
    tmp_path: Path,
) -> None:
    folder = write_run(
        tmp_path / "run", network="EarlyFusionCNN", sides={"train": [1, 23], "test": [23, 24]}
    )
    card = card_of(checkpoint.read(write_checkpoint(folder / "checkpoints" / "best.ckpt")))
    first = next(line for line in card.splitlines() if line.startswith(">"))
    assert first.startswith("> **LEAK in this network: actor 23 trained and was tested.")
    assert "People it was not trained on" not in card


def test_names_that_mean_something_in_markdown_are_shown_as_they_are(tmp_path: Path) -> None:
    names = ["a|b", "*c*", "<d>", "e_f_", "g", "h", "i", "j"]
    folder = write_run(tmp_path / "run", network="EarlyFusionCNN", class_names=names)
    path = write_checkpoint(folder / "checkpoints" / "best.ckpt", class_names=names)
    tables = tables_of(card_of(checkpoint.read(path)))
    assert [row[0] for row in tables["class"]] == names


def test_a_regressor_s_card_has_its_own_figures(tmp_path: Path) -> None:
    path, predictions = write_regressor(tmp_path)
    card = card_of(checkpoint.read(path))
    ccc = concordance(predictions.target.double(), predictions.predicted.double())
    rows = next(rows for rows in tables_of(card).values() if rows and rows[0][0] == "CCC")
    shown = {row[0]: row[1] for row in rows if row[0].startswith("CCC")}
    assert shown == {
        "CCC": f"{ccc.mean():.3f}",
        "CCC valence": f"{ccc[0]:.3f}",
        "CCC arousal": f"{ccc[1]:.3f}",
    }
    assert {row[0] for row in tables_of(card)["video"]} == {"video0", "video1", "video2"}
    assert "non-commercial research only" in card
    assert "calibrated" not in card


def test_the_command_writes_the_card_into_the_run_s_folder_or_where_it_is_told(
    ckpt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], card: str
) -> None:
    main(["card", "--ckpt", str(ckpt)])
    here = ckpt.parents[1] / "MODEL_CARD.md"
    assert capsys.readouterr().out == f"written to {here}\n"
    assert here.read_text() == card
    main(["card", "--ckpt", str(ckpt), "--to", str(tmp_path / "new" / "card.md")])
    assert (tmp_path / "new" / "card.md").read_text() == card


def test_a_place_that_can_t_be_written_and_a_file_that_is_none_are_one_line(
    ckpt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for words in (
        ["--ckpt", str(ckpt), "--to", str(tmp_path / "file" / "card.md")],
        ["--ckpt", str(tmp_path / "none.ckpt")],
        ["--ckpt", str(tmp_path / "file")],
    ):
        with pytest.raises(SystemExit):
            main(["card", *words])
        assert capsys.readouterr().err.count("\n") == 1
