"""Results from the literature have a source, and a user's file is checked."""

from pathlib import Path

import pytest

from emorec.data.clip import EMOTIONS
from emorec.errors import UserError
from emorec.evaluation.task import Classification, Regression
from emorec.report.references import builtin_references, read_references, references_for

TASK = Classification(EMOTIONS)


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_the_shipped_figures_all_have_a_source_and_a_note() -> None:
    assert [each.kind for each in builtin_references()] == ["people"] * 2 + ["published"] * 5
    assert all(each.source and each.note for each in builtin_references())


def test_a_users_file_replaces_the_first_study_and_keeps_people(tmp_path: Path) -> None:
    path = write(tmp_path, "published: [{name: SVFAP-B, uar: 75.15, source: Table 12}]")
    found = references_for(str(path), TASK)
    assert [(each.name, each.scores) for each in found if each.kind == "published"] == [
        ("SVFAP-B", {"uar": 0.7515})
    ]
    assert [each.name for each in found if each.kind == "people"] == [
        "people, video without sound",
        "people, video with sound",
    ]


def test_people_of_a_users_file_replace_the_shipped_ones(tmp_path: Path) -> None:
    path = write(tmp_path, "people: [{name: three raters, accuracy: 71, source: ours}]")
    assert [each.name for each in references_for(str(path), TASK)] == ["three raters"]


def test_none_leaves_people_only() -> None:
    assert {each.kind for each in references_for("none", TASK)} == {"people"}


def test_figures_on_ravdess_do_not_stand_beside_other_classes() -> None:
    assert references_for(None, Classification(tuple("abcdefgh"))) == ()


def test_published_classes_are_refused_beside_numbers() -> None:
    task = Regression(("valence", "arousal"))
    assert references_for(None, task) == references_for("none", task) == ()
    with pytest.raises(UserError, match=r"^--published mine\.yaml: published scores of classes"):
        references_for("mine.yaml", task)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not valid YAML"),
        ("- 1", "expected the keys people and published"),
        ("publisht: []", "expected the keys people and published"),
        ("published: 7", "published is not a list"),
        ("published: [7]", "has no name: 7"),
        ("published: [{name: A, accuracy: 70}]", "A: the source is missing"),
        ("published: [{name: A, source: B}]", "add one of accuracy, uar, macro_f1"),
        (
            "published: [{name: A, source: B, f1: 3}]",
            "A: f1 is not one of name, source",
        ),
        ("published: [{name: A, source: B, uar: 0.75}]", "uar is 0.75: give per cent"),
        ("published: [{name: A, source: B, uar: high}]", "uar is high: give per cent"),
        ("published: [{name: A, source: B, uar: .nan}]", "uar is nan: give per cent"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=said) as error:
        read_references(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_no_text_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"can't read .*: No such file"):
        read_references(tmp_path / "other.yaml")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not a text file"):
        read_references(tmp_path / "bytes")
