"""HTML of results and of the description of a network."""

from dataclasses import replace
from pathlib import Path

from emorec.app.page import (
    MAX_ROWS,
    error_html,
    headline_html,
    info_markdown,
    model_info,
    remarks,
    summarize,
    table_of,
    windows_html,
)
from emorec.inference.timeline import NO_FACE, Gap, Timeline
from emorec.pretrained import ADAPTED, BUILT_IN, card_file
from tests.app.fakes import SPEC, timeline_of

INFO = model_info(SPEC)


def test_labels_are_counted_and_the_most_frequent_is_the_headline() -> None:
    timeline = timeline_of()
    windows = (*timeline.windows, replace(timeline.windows[0], start=2.0, end=4.0))
    three = replace(timeline, windows=windows, seconds=4.0)
    assert summarize(three) == "4 s, 3 windows: 2 happy, 1 sad"
    html = headline_html(three, INFO)
    assert "Most frequent prediction" in html
    assert ">happy</p>" in html
    assert f"{INFO.meaning}." in html
    assert [row[:3] for row in table_of(three)["data"]] == [
        ["0 s", "2 s", "happy"],
        ["1 s", "3 s", "sad"],
        ["2 s", "4 s", "happy"],
    ]
    assert table_of(three)["headers"] == ["from", "to", "predicted", "happy", "sad"]
    assert table_of(three)["data"][1][3:] == ["25%", "75%"]


def test_several_persons_have_a_column_each() -> None:
    one, two = timeline_of().windows
    both = timeline_of(windows=(one, replace(two, person=2)))
    assert [row[2] for row in table_of(both)["data"]] == ["1", "2"]
    assert table_of(both)["headers"][2] == "person"
    assert "person" not in table_of(timeline_of())["headers"]
    assert summarize(both) == "3 s, 2 windows, 2 persons: 1 happy, 1 sad"


def test_gaps_and_missing_faces_are_mentioned() -> None:
    one, two = timeline_of().windows
    no_face = replace(two, person=None, values=None, predicted=NO_FACE, confidence=None)
    damaged = timeline_of(windows=(one, no_face), gaps=(Gap(3.0, 4.25),))
    assert remarks(damaged) == [
        "Damaged, without a prediction: 3 s to 4.2 s",
        "A face was found in 50% of the windows",
    ]
    assert table_of(damaged)["data"][1][2:] == [NO_FACE, "", ""]
    assert remarks(timeline_of(windows=(no_face,)))[0].startswith("No face found")
    assert remarks(timeline_of()) == []


def test_unfamiliar_windows_are_counted_first_and_named_in_the_table() -> None:
    one, two = timeline_of().windows
    marked = timeline_of(
        windows=(replace(one, unfamiliar=()), replace(two, unfamiliar=("face", "sound")))
    )
    assert "1 of 2 windows" in remarks(marked)[0]
    table = table_of(marked)
    assert (table["headers"][-1], [row[-1] for row in table["data"]]) == (
        "unfamiliar",
        ["", "face, sound"],
    )
    assert "unfamiliar" not in table_of(timeline_of())["headers"]


def numbers() -> Timeline:
    windows = tuple(
        replace(
            each, names=("valence", "arousal"), predicted="", confidence=None, values=(-0.5, 0.25)
        )
        for each in timeline_of().windows
    )
    return timeline_of(task="numbers", names=("valence", "arousal"), windows=windows)


def test_numbers_are_shown_as_numbers() -> None:
    table = table_of(numbers())
    assert table["headers"] == ["from", "to", "valence", "arousal"]
    assert table["data"][0] == ["0 s", "2 s", "-0.50", "0.25"]
    assert summarize(numbers()) == "3 s, 2 windows"
    assert "valence -0.50, arousal 0.25</p>" in headline_html(numbers(), INFO)
    no_face = tuple(replace(each, person=None, values=None) for each in numbers().windows)
    assert f">{NO_FACE}</p>" in headline_html(replace(numbers(), windows=no_face), INFO)


def test_a_table_of_many_classes_has_one_value_a_row_on_a_narrow_screen_and_ends_somewhere() -> (
    None
):
    assert "narrow" not in windows_html(timeline_of())
    names = tuple("abc<")
    one, _ = timeline_of().windows
    window = replace(one, names=names, values=(0.7, 0.1, 0.1, 0.1), confidence=0.7, predicted="a")
    many = timeline_of(names=names, windows=(window,) * (MAX_ROWS + 1))
    html = windows_html(many, "/tmp/x/timeline.png")
    assert '<th class="narrow">confidence</th><th class="wide">a</th>' in html
    assert '<td class="narrow">70%</td><td class="wide">70%</td>' in html
    assert '<th class="wide">&lt;</th>' in html
    assert html.count("<tr>") == 1 + MAX_ROWS
    assert "1 more window" in html
    assert 'src="gradio_api/file=/tmp/x/timeline.png" alt="' in html


def test_a_narrow_screen_shows_what_is_unfamiliar_and_no_single_class() -> None:
    names = tuple("abcd")
    one, _ = timeline_of().windows
    window = replace(one, names=names, values=(0.7, 0.1, 0.1, 0.1), confidence=0.7, predicted="a")
    html = windows_html(
        timeline_of(names=names, windows=(replace(window, unfamiliar=("face", "sound")),))
    )
    assert '<th class="narrow">confidence</th><th class="wide">a</th>' in html
    assert '<th class="wide">d</th><th class="wide">unfamiliar</th>' in html
    assert '<td class="narrow">70%, unfamiliar: face, sound</td>' in html


def test_a_built_in_network_is_described_by_its_name_and_its_card() -> None:
    for name in BUILT_IN:
        info = model_info(SPEC, Path(name))
        assert info.network.startswith(f"{name} (LateFusion), predicts one of happy, sad")
        assert info.test_result is not None
        assert info.test_result.startswith("Cross-validated, on people who did not train: UAR ")
        assert info.test_result.endswith("; chance is 12.5 %")
        assert info.test_result in card_file(name).read_text(encoding="utf-8")
        assert ("adapted by" in info.test_result) == (name == ADAPTED)


def test_file_names_in_errors_are_escaped() -> None:
    html = error_html("<img src=x onerror=alert(1)>.mp4: not a video")
    assert "<img" not in html
    assert "&lt;img src=x" in html


def test_the_page_describes_the_network_and_its_training() -> None:
    info = model_info(SPEC)
    assert info.trained_on.startswith("180 clips of 3 people, from RAVDESS: actors who speak two")
    assert "CC BY-NC-SA 4.0" in info.licence
    assert info.meaning.endswith("not one that anybody felt")
    assert "UAR 50 %" in info_markdown(replace(info, test_result="UAR 50 %"))
    assert info.subject == "a face"
    audio = model_info(
        replace(SPEC, inputs=("sound", "heard"), split={"train": [1], "whose": "films"})
    )
    assert audio.subject == "a person speaking"
    assert audio.trained_on.startswith("clips of 1 films")
    mine = model_info(replace(SPEC, data="emorec.data.CSVDataModule", split={"train": ["ann"]}))
    assert mine.trained_on == "clips of 1 person, from a data set of its owner's"
