"""Networks pushed to the Hugging Face Hub and fetched from it; a small server on this machine stands for the Hub."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import emorec
from emorec import checkpoint, hub
from emorec.callbacks.held_out import check_unseen_actors
from emorec.cli import main
from emorec.data import CSVDataModule, RavdessDataModule
from emorec.data.split import Split
from emorec.data.synthetic.clips import write_dataset
from emorec.data.synthetic.settings import ClipSettings
from emorec.errors import UserError
from emorec.experiment import parse_experiment
from emorec.inference.export import synthetic_inputs
from emorec.models import EarlyFusionCNN
from emorec.pretrained import FAMILIARITY, weights_file
from tests.hub_server import TOKEN, HubServer, hub_server
from tests.refusal import refusal
from tests.report.made_checkpoints import write_checkpoint, write_regressor
from tests.report.made_runs import write_run

huggingface_hub = pytest.importorskip("huggingface_hub")

# httpx warns of a call in the Hub's library
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=")

FACES = hub.Address("ann/faces")


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tested and calibrated network."""
    folder = write_run(
        tmp_path_factory.mktemp("run") / "version_0", network="EarlyFusionCNN", temperature=2.0
    )
    size = {"num_frames": 2, "image_size": (32, 48)}
    network, data = EarlyFusionCNN(**size), RavdessDataModule(root="/home/ann/clips", **size)
    path = folder / "checkpoints" / "best.ckpt"
    return write_checkpoint(path, network, data, temperatures={1: 2.0})


@pytest.fixture(scope="module")
def pushed(ckpt: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that are pushed of it."""
    folder = tmp_path_factory.mktemp("pushed")
    main(["push", "ann/faces", "--ckpt", str(ckpt), "--to", str(folder)])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """An empty Hub, an empty cache and the token of ann."""
    hub.fetch.cache_clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # as emorec.app sets it
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between two tries
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with hub_server() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


@pytest.fixture
def faces(server: HubServer, pushed: dict[str, bytes]) -> HubServer:
    """A Hub with the network."""
    server.create("ann/faces").commit(pushed)
    return server


def test_a_pushed_network_is_fetched_from_an_empty_cache_and_is_the_same(
    server: HubServer, ckpt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ckpt.with_suffix(".familiarity.npz")).write_bytes(weights_file(FAMILIARITY).read_bytes())
    main(["push", "--private", "--ckpt", str(ckpt), "ann/faces"])
    ckpt.with_suffix(".familiarity.npz").unlink()
    assert f"pushed to {server.address}/ann/faces (private)" in capsys.readouterr().out
    assert server.repositories["ann/faces"].private
    fetched = emorec.load("hf://ann/faces", "cpu")
    assert fetched.familiarity is not None
    own = emorec.load(ckpt, "cpu")
    inputs = synthetic_inputs(own.spec, 3)
    np.testing.assert_array_equal(fetched.runtime(inputs), own.runtime(inputs))
    assert fetched.spec.temperature == own.spec.temperature == 2.0
    record, original = checkpoint.read("hf://ann/faces"), checkpoint.read(ckpt)
    assert (record.split, record.class_names, record.settings, record.environment) == (
        *(original.split, original.class_names, original.settings, original.environment),
    )
    main(["push", "ann/faces", "--ckpt", str(ckpt)])
    assert hub.FAMILIARITY not in server.repositories["ann/faces"].files
    commit = str(record.address)
    assert checkpoint.find_file(commit) == record.path


def test_what_is_pushed_names_no_folder_and_is_no_pickle(pushed: dict[str, bytes]) -> None:
    assert pushed.keys() == {hub.WEIGHTS, hub.RECORD, hub.CONFIG, hub.CARD}
    assert [name for name, content in pushed.items() if b"/home" in content] == []
    assert pushed[hub.WEIGHTS][8:9] == b"{"
    Path("config.yaml").write_bytes(pushed[hub.CONFIG])
    settings = parse_experiment(["--config", "config.yaml", "--data.root", "clips"]).config
    assert settings.model.class_path == "emorec.models.EarlyFusionCNN"
    assert settings.data.init_args.image_size == (32, 48)


def test_the_front_matter_has_licence_data_and_scores_with_intervals(
    pushed: dict[str, bytes], ckpt: Path
) -> None:
    card = huggingface_hub.ModelCard(pushed[hub.CARD].decode())
    data = card.data
    assert (data.license, data.datasets, data.model_name) == (
        "cc-by-nc-sa-4.0",
        ["ravdess"],
        "faces",
    )
    assert data.metrics == ["recall", "accuracy", "f1", "ece"]
    uar = data.eval_results[0]
    body = card.text
    quoted = re.search(r"\| UAR \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|", body)
    assert quoted is not None
    value, low, high = (float(each) / 100 for each in quoted.groups())
    assert uar.metric_value == pytest.approx(value, abs=0.001)
    assert (uar.metric_args["low"], uar.metric_args["high"]) == pytest.approx((low, high), abs=1e-3)
    assert uar.dataset_args["people"] == 2
    assert body.strip().startswith("# Model card: EarlyFusionCNN")
    assert "emorec predict --ckpt hf://ann/faces talk.mp4" in body
    digest = checkpoint.sha256(checkpoint.find_file(ckpt))
    assert digest not in body  # the hash is that of the uploaded file


def test_the_front_matter_of_numbers_and_of_an_untested_network(tmp_path: Path) -> None:
    ckpt, *_ = write_regressor(tmp_path / "run")
    main(["push", "ann/affect", "--ckpt", str(ckpt), "--to", "tested"])
    data = huggingface_hub.ModelCard(Path("tested", hub.CARD).read_text()).data
    assert (data.license, data.license_name, data.pipeline_tag) == (
        *("other", "aff-wild2-agreement", None),
    )
    assert [each.metric_type for each in data.eval_results][:3] == ["ccc", "ccc", "ccc"]
    (tmp_path / "run" / "test").rename(tmp_path / "moved")
    main(["push", "ann/affect", "--ckpt", str(ckpt), "--to", "untested"])
    data = huggingface_hub.ModelCard(Path("untested", hub.CARD).read_text()).data
    assert (data.eval_results, data.metrics) == (None, None)


def test_people_of_own_data_are_numbered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Path("clips.csv").write_text("path,label\nZoe laughing.mp4,happy\nann.mp4,sad\n")
    people = {"train": ["Zoe", "Yves"], "val": ["Cem"], "test": ["23", "24"]}
    run = write_run(tmp_path / "run", network="EarlyFusionCNN", sides=people)
    split = {**people, "name": "csv", "fold": None, "hash": "0", "face_detector": None}
    ckpt = write_checkpoint(
        run / "checkpoints" / "best.ckpt",
        data=CSVDataModule(root="clips.csv"),
        split={**split, "skipped": ["Zoe laughing.mp4"], "faceless": [], "num_clips": {}},
    )
    main(["push", "ann/own", "--ckpt", str(ckpt), "--to", "own"])
    content = b"".join(path.read_bytes() for path in Path("own").glob("*.[jmy]*"))
    assert [name for name in (b"Zoe", b"Cem", b"Yves") if name in content] == []
    record = checkpoint.read("own")
    assert record.split["train"] == [5, 4]
    assert record.split["test"] == [1, 2]
    data = huggingface_hub.ModelCard(Path("own", hub.CARD).read_text()).data
    assert (data.license, data.datasets) == ("unknown", None)
    assert data.eval_results[0].dataset_args["people"] == 2
    check_unseen_actors(record, Split("csv", None, (), (), (5,)), "test")
    assert "own/model.safetensors does not name the people" in caplog.text


def test_a_test_of_a_fetched_network_leaves_its_results_here(
    faces: HubServer, tmp_path: Path
) -> None:
    tiny = ClipSettings(width=32, height=32, num_frames=2, sound=False)
    write_dataset(Path("clips"), actors=(23, 24), takes=1, settings=tiny, num_workers=0)
    flags = ("--data.num_workers", "0", "--data.cache", "none", "--trainer.accelerator", "cpu")
    main(["test", "--ckpt", "hf://ann/faces", "--data.root", "clips", *flags])
    metrics = json.loads((tmp_path / "faces" / "test" / "metrics.json").read_text())
    commit = faces.repositories["ann/faces"].resolve("main")
    assert metrics["checkpoint"] == f"hf://ann/faces@{commit}"
    main(["card", "--ckpt", "hf://ann/faces"])
    assert (tmp_path / "faces" / "MODEL_CARD.md").read_text().startswith("# Model card")


def wrong_byte(server: HubServer) -> None:
    server.corrupt[hub.WEIGHTS] = 1


def broken_download(server: HubServer) -> None:
    server.cut.add(hub.WEIGHTS)


@pytest.mark.parametrize("damage", [wrong_byte, broken_download])
def test_a_damaged_download_is_repaired(
    damage: Callable[[HubServer], None], faces: HubServer, pushed: dict[str, bytes]
) -> None:
    damage(faces)
    assert hub.fetch(FACES).read_bytes() == pushed[hub.WEIGHTS]
    assert not faces.cut
    assert not any(faces.corrupt.values())


def test_without_a_connection_the_cached_network_is_taken(
    faces: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hub.fetch(FACES)
    requests = len(faces.requests)
    hub.fetch.cache_clear()
    assert hub.fetch(hub.Address("ann/faces", path.parent.name)) == path
    assert len(faces.requests) == requests  # a commit never changes
    for variable, value in (("HF_ENDPOINT", "http://127.0.0.1:9"), ("HF_TOKEN", "")):
        monkeypatch.setenv(variable, value)
        hub.fetch.cache_clear()
        assert hub.fetch(FACES) == path
    with pytest.raises(
        UserError, match=r"ann/other \(.*refused\): try again, or put model.saf.* of http"
    ):
        hub.fetch(hub.Address("ann/other"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"ann/other \(.*offline.*\): try again, or put"):
        hub.fetch(hub.Address("ann/other"))


MISTAKES = {
    "hf://ann/none": "there is no hf://ann/none, or it is private: .* hf auth login",
    "hf://ann/hidden": "there is no hf://ann/hidden, or it is private: .* HF_TOKEN",
    "hf://ann/faces@v9": "ann/faces has no revision v9: choose .*/ann/faces/commits/main",
    "hf://ann/bert": "hf://ann/bert holds something else .*: look at .*/ann/bert/tree/main",
    "hf://ann/text": "hf://ann/text holds something else",
    "hf://ann/other": "model.safetensors of hf://ann/other does not have the SHA-256",
    "hf://ann": "hf://ann is not an address: write hf://USER/NAME",
}


@pytest.mark.parametrize("address", MISTAKES)
def test_what_can_not_be_fetched_is_one_line(
    address: str,
    faces: HubServer,
    pushed: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    faces.create("ann/hidden", private=True).commit(pushed)
    faces.create("ann/bert", pytorch_model_bin=b"pickle", config_json=b"{}")
    faces.create("ann/text", model_safetensors=b"", model_json=b"[1]")
    faces.create("ann/other").commit({**pushed, hub.WEIGHTS: pushed[hub.WEIGHTS] + b" "})
    line = refusal(capsys, "export", "--ckpt", address)
    assert re.search(MISTAKES[address], line), line
    assert [each for each in faces.requests if "pytorch" in each] == []


def test_a_push_that_would_do_harm_is_one_line(
    faces: HubServer,
    ckpt: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faces.create("ann/bert", pytorch_model_bin=b"pickle")
    for arguments, message in (
        (("ann/bert", "--ckpt", ckpt), "/ann/bert holds something else .*: choose another name"),
        (("ann/faces", "--ckpt", ckpt, "--private"), "/ann/faces exists and is public: make it"),
        (("bob/faces", "--ckpt", ckpt), "bob/faces .*403.*: log in .* may write to bob"),
        (("faces", "--ckpt", ckpt), "faces does not name a repository: write USER/NAME"),
        (("ann/new", "--ckpt", "face_and_sound"), "face_and_sound comes with emorec already"),
        (("ann/new", "--ckpt", "hf://ann/faces"), "hf://ann/faces.* is on the Hub already"),
    ):
        line = refusal(capsys, "push", *arguments)
        assert re.search(message, line), line
    monkeypatch.setenv("HF_TOKEN", "")
    assert "log in with hf auth login" in refusal(capsys, "push", "ann/new", "--ckpt", ckpt)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "into a folder with --to" in refusal(capsys, "push", "ann/new", "--ckpt", ckpt)
    assert faces.repositories.keys() == {"ann/faces", "ann/bert"}


def test_a_fetched_network_is_neither_resumed_nor_changed(
    faces: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ("--data.root", str(tmp_path))
    line = refusal(capsys, "fit", "--ckpt", "hf://ann/faces", *root)
    assert "not the state of its training" in line
    flags = ("--calibrate", "--views", "2")
    line = refusal(capsys, "validate", "--ckpt", "hf://ann/faces", *flags, *root)
    assert "calibrate a copy, emorec export --ckpt hf://ann/faces" in line
