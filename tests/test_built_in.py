"""The networks that come with the package: whole, small, usable without a name, and stated for what they are."""

import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import torch

import emorec
from emorec import checkpoint
from emorec.cli import main
from emorec.explain.explainer import clip_from_file
from emorec.inference.export import synthetic_inputs
from emorec.inference.options import Options
from emorec.inference.runtimes import OnnxRuntime
from emorec.inference.torch_runtime import TorchRuntime
from emorec.pretrained import (
    ADAPTED,
    BUILT_IN,
    DEFAULT,
    DIGESTS,
    card_file,
    card_headline,
    silent_stderr,
    weights_file,
)
from tests import videos

ROOT = Path(__file__).parents[1]
PEOPLE = list(range(1, 23))
"""Actors 23 and 24 were not at hand."""


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    videos.write_video(path, 30, sound=True)
    return path


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_network_trained_on_everybody_at_hand_and_names_no_machine(name: str) -> None:
    record = checkpoint.read(name)
    present = record.split["num_clips"]["train"] / 60
    assert (record.split["name"], present) == ("all", len(PEOPLE))
    assert record.split["val"] == record.split["test"] == []
    assert record.data["init_args"]["adapt"] == ("person" if name == ADAPTED else "none")
    assert record.temperatures.keys() == {1}
    text = weights_file(f"{name}.json").read_text()
    assert not re.search(r'"/|"root"|"cache"', text)


def test_the_files_are_small_and_checked() -> None:
    files = [name for name in DIGESTS if name.partition(".")[0] in BUILT_IN]
    assert len(files) == 6
    assert sum(weights_file(name).stat().st_size for name in files) < 6e6


def test_the_default_network_equals_its_tensors() -> None:
    tensors = TorchRuntime(Path(DEFAULT), "cpu")
    exported = OnnxRuntime(weights_file(f"{DEFAULT}.onnx"), "cpu")
    inputs = synthetic_inputs(tensors.spec, 4)
    np.testing.assert_allclose(exported(inputs), tensors(inputs), atol=1e-4)
    assert exported.spec.names == tensors.spec.names
    assert exported.spec.temperature == tensors.spec.temperature
    assert tensors.spec.abstain_below == 0.5  # goes into every export


def test_options_choose_the_network() -> None:
    assert isinstance(emorec.load(device="cpu").runtime, OnnxRuntime)
    adapted = emorec.load(device="cpu", options=Options(adapt="video"))
    assert isinstance(adapted.runtime, TorchRuntime)
    assert adapted.spec.adapt == "person"
    assert adapted.spec.abstain_below == 0.5
    assert adapted.familiarity is not None
    named = emorec.load(DEFAULT, "cpu", Options(adapt="video"))
    assert isinstance(named.runtime, TorchRuntime)
    assert named.spec.adapt == "none"


def test_a_file_of_the_same_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(DEFAULT).write_bytes(b"mine")
    with pytest.raises(emorec.errors.UserError, match="truncated or not a checkpoint"):
        emorec.load(DEFAULT)


def without_torch(statements: str, folder: Path) -> list[str]:
    """Return the words that statements print in a process of their own, which must not import torch."""
    program = f"{statements}; import sys; print('torch' in sys.modules)"
    *printed, imported = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert imported == "False"
    return printed


def test_it_predicts_without_torch(talk: Path, tmp_path: Path) -> None:
    statements = f"import emorec; print(len(emorec.load().predict({str(talk)!r}).windows))"
    (windows,) = without_torch(statements, tmp_path)
    assert int(windows) >= 1


def test_it_is_listed_without_torch(tmp_path: Path) -> None:
    assert {*BUILT_IN} <= {
        *without_torch("from emorec.cli import main; main(['models'])", tmp_path)
    }


def test_explain_takes_the_windows_of_predict(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "long.mp4", 30, fps=3, sound=True)
    predictor = emorec.load()
    first = predictor.predict(path).windows[0]
    assert clip_from_file(path, predictor.spec).span_seconds == (first.start, first.end)


def test_predict_needs_no_name_and_states_the_licence_at_its_first_use(
    talk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    licence = "network: built in (emorec models); RAVDESS is under CC BY-NC-SA 4.0"
    (tmp_path / "file").touch()
    for cache, is_stated in (("new", True), ("new", False), ("file", True)):
        monkeypatch.setenv("EMOREC_CACHE", cache)  # "file" can't be written to
        with pytest.raises(SystemExit):  # it shows no face
            main(["predict", str(talk)])
        assert (licence in capsys.readouterr().err) == is_stated


@pytest.mark.real
def test_real_clips_of_training_people_are_mostly_recognised(ravdess_root: Path) -> None:
    clips = sorted(ravdess_root.rglob("Actor_02/01-01-*-02-02-02-*.mp4"))
    predictor = emorec.load(device="cpu")
    predicted = [predictor.predict(clip).most_frequent for clip in clips]
    names = predictor.spec.names
    expected = [names[int(clip.name.split("-")[2]) - 1] for clip in clips]
    correct = sum(one == other for one, other in zip(predicted, expected, strict=True))
    assert correct >= 0.7 * len(clips) > 0


def test_two_threads_that_silence_the_error_stream_give_it_back() -> None:
    entered, leave = Event(), Event()

    def second() -> None:
        with silent_stderr():
            entered.set()
            leave.wait()

    thread = Thread(target=second)
    before = os.fstat(2)
    with silent_stderr():
        thread.start()
        entered.wait(timeout=0.2)  # only without a lock
    leave.set()
    thread.join()
    assert os.path.samestat(os.fstat(2), before)


def test_models_are_listed_with_what_was_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)  # of a terminal; here is none
    main(["models"])
    printed = capsys.readouterr().out
    for name in BUILT_IN:
        assert re.search(rf"{name} +landmarks, sound +8 emotions +UAR \d\d\.\d %", printed)
    assert "Cross-validated, on people who did not train\n" in printed
    assert "adapted by" in card_headline(ADAPTED)
    assert "adapted by" not in card_headline(DEFAULT)


def test_its_card_is_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["card"])
    written = tmp_path / DEFAULT / "MODEL_CARD.md"
    assert written.read_bytes() == card_file(DEFAULT).read_bytes()
    assert all(
        f"SHA-256 `{DIGESTS[f'{name}.safetensors']}`" in card_file(name).read_text()
        for name in BUILT_IN
    )
    assert checkpoint.read(DEFAULT).is_built_in  # beside the folder of its card, too


def test_its_tensors_can_be_exported_and_explained_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["export", "--format", "safetensors"])
    copied = checkpoint.load(tmp_path / f"{DEFAULT}.safetensors")["state_dict"]
    original = checkpoint.load(checkpoint.find_file(DEFAULT))["state_dict"]
    assert all(torch.equal(copied[name], tensor) for name, tensor in original.items())
