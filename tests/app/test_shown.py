"""What the page says of an answer and of its network."""

from dataclasses import replace

from emorec.app.account import account_of
from emorec.app.shown import counted, remarks, result_html
from emorec.inference.timeline import NO_FACE, Gap
from tests.app.fakes import SPEC, timeline_of


def test_the_words_are_counted_and_the_commonest_is_the_headline() -> None:
    timeline = timeline_of()
    windows = (*timeline.windows, replace(timeline.windows[0], start=2.0, end=4.0))
    three = replace(timeline, windows=windows, seconds=4.0)
    assert counted(three) == "4 s, 3 windows: 2 happy, 1 sad"
    html = result_html(three, place="/results/x", meaning="")
    assert "most windows" in html
    assert html.count("<tr>") == 4


def test_several_people_have_a_column_of_their_own() -> None:
    one, two = timeline_of().windows
    both = timeline_of(windows=(one, replace(two, person=2)))
    assert ">person<" in result_html(both, place="", meaning="")
    assert ">person<" not in result_html(timeline_of(), place="", meaning="")
    assert counted(both) == "3 s, 2 windows, 2 people: 1 happy, 1 sad"


def test_holes_and_missing_faces_are_told() -> None:
    one, two = timeline_of().windows
    nobody = replace(two, person=None, values=None, predicted=NO_FACE, confidence=None)
    damaged = timeline_of(windows=(one, nobody), gaps=(Gap(3.0, 4.25),))
    assert remarks(damaged) == [
        "From 0:03 to 0:04 the file is damaged: nothing is said of that",
        "A face was found in 50% of the windows",
    ]
    assert remarks(timeline_of(windows=(nobody,)))[0].startswith("No face was found")
    assert remarks(timeline_of()) == []


def test_numbers_are_shown_as_numbers() -> None:
    windows = tuple(
        replace(
            each, names=("valence", "arousal"), predicted="", confidence=None, values=(-0.5, 0.25)
        )
        for each in timeline_of().windows
    )
    numbers = timeline_of(task="numbers", names=("valence", "arousal"), windows=windows)
    html = result_html(numbers, place="", meaning="")
    assert "-0.50" in html
    assert "confidence" not in html
    assert counted(numbers) == "3 s, 2 windows"
    assert "valence -0.50, arousal 0.25</p>" in html
    nobody = tuple(replace(each, person=None, values=None) for each in windows)
    assert f">{NO_FACE}</p>" in result_html(replace(numbers, windows=nobody), place="", meaning="")


def test_the_account_tells_on_whom_the_network_was_trained() -> None:
    account = account_of(SPEC, "UAR 50 %")
    assert account.trained.startswith("180 clips of 3 people, from RAVDESS: 24 professional actors")
    assert "CC BY-NC-SA 4.0" in account.licence
    assert account.meaning.endswith("not one that anybody felt")
    assert account.tested == "UAR 50 %"
    assert account.takes == "a face"
    heard = account_of(
        replace(SPEC, inputs=("sound", "heard"), split={"train": [1], "whose": "films"})
    )
    assert heard.takes == "somebody who speaks"
    assert heard.trained.startswith("clips of 1 films")
    mine = account_of(replace(SPEC, data="emorec.data.CSVDataModule", split={"train": ["ann"]}))
    assert mine.trained == "clips of 1 person, from a data set of its owner's"
