"""`emorec predict` of many videos: in several processes, in shards, a second time, into one table, and on Ray."""

import csv
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.cli.commands.predict import find_sources
from emorec.errors import UserError
from emorec.inference.batch import shard_of
from emorec.inference.ray_cluster import check_reachable
from emorec.inference.runtimes import Inputs, Outputs
from tests import videos
from tests.cli.commands.predicting import error_of, rows_of, run
from tests.inference.fakes import Grey


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working folder with two videos and a file that is none."""
    monkeypatch.chdir(tmp_path)
    videos.write_video(tmp_path / "b.mp4", 15)
    videos.write_video(tmp_path / "a.mp4", 30)
    (tmp_path / "bad.mp4").write_text("no video")
    return tmp_path


def test_windows_of_several_videos_are_predicted_in_one_batch(
    grey: Grey, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        assert run("--ckpt", "any.ckpt", f"{name}.mp4", "--out", "alone") == 0
    assert grey.batches == [3, 1]
    assert run("--ckpt", "any.ckpt", "a.mp4", "bad.mp4", "b.mp4") == 2
    assert grey.batches == [3, 1, 4]
    assert "error: bad.mp4: " in capsys.readouterr().err
    for name in "ab":
        together, alone = (Path(out, name, "timeline.csv") for out in ("predictions", "alone"))
        assert together.read_text() == alone.read_text()


def test_a_video_whose_outputs_are_not_finite_is_told_and_the_others_are_predicted(
    grey: Grey, clips: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(self: Grey, windows: Inputs) -> Outputs:
        outputs = really(self, windows)
        outputs[1] = np.nan
        return outputs

    really = Grey.__call__
    monkeypatch.setattr(Grey, "__call__", spoiled)
    (clips / "c.mp4").write_bytes((clips / "b.mp4").read_bytes())
    assert run("--ckpt", "any.ckpt", "b.mp4", "c.mp4", "--out", "two") == 2
    assert capsys.readouterr().err.count("error: ") == 1
    assert list(Path("two").glob("*/summary.json")) == [Path("two/b/summary.json")]


def test_a_second_call_predicts_only_what_is_not_done(
    grey: Grey, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def modified() -> set[tuple[Path, int]]:
        files = Path("predictions").glob("*/summary.json")
        return {(path, path.stat().st_mtime_ns) for path in files}

    def num_predicted(*arguments: str) -> int:
        before = modified()
        assert run("--ckpt", "any.ckpt", "a.mp4", "b.mp4", *arguments) == 0
        return len(modified() - before)

    assert num_predicted() == 2
    first = capsys.readouterr()
    assert num_predicted("--device", "cpu") == 0
    second = capsys.readouterr()
    assert "2 of 2 videos" in second.err
    assert second.out.splitlines()[:3] == first.out.splitlines()[:3]
    os.utime("a.mp4", (1e9, 1e9))
    assert num_predicted() == 1
    assert "1 of 2 videos" in capsys.readouterr().err
    summary = Path("predictions", "b", "summary.json")
    summary.write_text(summary.read_text().replace('"stopped": false', '"stopped": true'))
    assert num_predicted() == 1
    Path("predictions", "a", "timeline.csv").write_text("start,end,person\n")
    assert num_predicted() == 1
    hop = ("--hop_seconds", "0.4")
    assert num_predicted(*hop, "--annotate") == 2
    assert num_predicted(*hop, "--annotate") == 0
    Path("predictions", "a", "annotated.mp4").unlink()
    assert num_predicted(*hop) == 0
    assert num_predicted(*hop, "--annotate") == 1
    assert num_predicted(*hop, "--overwrite") == 2


def test_another_network_predicts_again(
    grey: Grey, clips: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--ckpt", "any.ckpt", "b.mp4") == 0
    other = Grey(checkpoint_sha256="another")
    monkeypatch.setattr("emorec.inference.predictor.load_runtime", lambda path, device: other)
    assert run("--ckpt", "other.ckpt", "b.mp4") == 0
    assert other.batches == [1]


def test_results_of_another_video_are_not_replaced(
    grey: Grey, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--ckpt", "any.ckpt", "b.mp4") == 0
    (clips / "tuesday").mkdir()
    (clips / "a.mp4").rename("tuesday/b.mp4")
    assert run("--ckpt", "any.ckpt", "tuesday/b.mp4") == 2
    assert "predictions/b holds the results of b.mp4" in capsys.readouterr().err
    assert run("--ckpt", "any.ckpt", "tuesday/b.mp4", "--overwrite") == 0
    (clips / "tuesday").rename("wednesday")  # the same file elsewhere
    assert run("--ckpt", "any.ckpt", "wednesday/b.mp4") == 0


def test_a_video_without_a_face_is_an_error_the_second_time_too(
    clips: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Grey(face="crop")
    monkeypatch.setattr("emorec.inference.predictor.load_runtime", lambda path, device: runtime)
    for _ in range(2):
        assert run("--ckpt", "any.ckpt", "b.mp4") == 2
        assert "error: b.mp4: no face found" in capsys.readouterr().err


def test_shards_are_all_videos_once_with_the_folders_they_have_without(tmp_path: Path) -> None:
    for name in ("b/1.mp4", "a/1.mp4", "a/2.mp4", "c.mp4", "d.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    sources = find_sources([str(tmp_path)]).sources
    shards = [shard_of(sources, f"{number}/3") for number in (1, 2, 3)]
    assert sorted(map(len, shards)) == [1, 2, 2]
    assert {source for shard in shards for source in shard} == set(sources)
    names = [source.folder.as_posix() for shard in shards for source in shard]
    assert sorted(names) == ["2", "a/1", "b/1", "c", "d"]


def test_a_shard_without_videos_is_no_error(
    grey: Grey, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--ckpt", "any.ckpt", "a.mp4", "--shard", "2/2") == 0
    assert "no video in shard 2/2 of 1 video" in capsys.readouterr().err
    assert not Path("predictions").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--shard", "0/3"), "shard is 0/3: choose I/N"),
        (("--shard", "4/3"), "shard is 4/3: choose I/N"),
        (("--shard", "x/3"), "shard is x/3: choose I/N"),
        (("--jobs", "0"), "jobs is 0: choose at least 1"),
        (("--table", "table.xlsx"), "table is table.xlsx: name a .csv or a .parquet file"),
        (("--table", "a.mp4/table.csv"), "a.mp4 is not a folder"),
        (("0", "--jobs", "2"), "a camera is predicted alone"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_predicted(
    arguments: tuple[str, ...],
    message: str,
    grey: Grey,
    clips: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert message in error_of(capsys, "--ckpt", "any.ckpt", "a.mp4", *arguments)
    assert grey.batches == []


def test_packages_of_extras_are_named_where_they_are_missing(
    grey: Grey, clips: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ray", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    message = error_of(capsys, "--ckpt", "any.ckpt", "a.mp4", "--table", "table.parquet")
    assert "pip install 'emorec[parquet]'" in message
    message = error_of(capsys, "--ckpt", "any.ckpt", "a.mp4", "--ray", "local")
    assert "pip install 'emorec[ray]'" in message


def test_a_table_has_the_rows_of_every_timeline_and_one_of_a_failure(
    grey: Grey, clips: Path
) -> None:
    table = clips / "new" / "table.csv"
    assert run("--ckpt", "any.ckpt", "b.mp4", "bad.mp4", "a.mp4", "--table", table) == 2
    rows = rows_of(table)
    assert list(rows[0])[:4] == ["video", "error", "start", "end"]
    assert [row["video"] for row in rows] == ["b.mp4", "bad.mp4", *["a.mp4"] * 3]
    assert "bad.mp4: not a video" in rows[1]["error"]
    assert set(list(rows[1].values())[2:]) == {""}
    for name in "ab":
        expected = rows_of(Path("predictions", name, "timeline.csv"))
        others = [dict(list(row.items())[2:]) for row in rows if row["video"] == f"{name}.mp4"]
        assert others == expected
        assert all(not row["error"] for row in rows if row["video"] == f"{name}.mp4")


def test_a_parquet_table_has_numbers(grey: Grey, clips: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run("--ckpt", "any.ckpt", "bad.mp4", "a.mp4", "--table", "table.parquet") == 2
    failed, *rows = parquet.read_table("table.parquet").to_pylist()
    assert failed["error"].startswith("bad.mp4: not a video")
    assert failed["start"] is failed["person"] is failed["dark"] is failed["predicted"] is None
    for row, expected in zip(rows, rows_of(Path("predictions/a/timeline.csv")), strict=True):
        assert row["error"] is None
        assert (row["start"], row["person"]) == (float(expected["start"]), 1)
        assert (row["dark"], row["predicted"]) == (float(expected["dark"]), expected["predicted"])


def check_like_in_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str], *how: Any) -> None:
    """Assert that the built-in network writes the same files and table as without options."""
    for number in (1, 2):
        videos.write_sound(tmp_path / f"{number}.m4a", 1.0 + number)
    (tmp_path / "bad.mp4").write_text("no video")
    names = ["2.m4a", "bad.mp4", "1.m4a"]
    tables, errors = [], []
    for out, arguments in (("turn", ()), ("many", how)):
        more = ("--out", out, "--table", f"{out}.csv", *arguments)
        assert run(*names, *more) == 2
        output = capsys.readouterr()
        tables.append([line.split()[:3] for line in output.out.splitlines()[:3]])
        errors.append({line for line in output.err.splitlines() if "m4a" in line or "bad" in line})
    assert tables[0] == tables[1]
    assert errors[0] == errors[1]
    assert len(errors[0]) == 5  # no pictures, and unlike the training clips, twice each
    with Path("turn.csv").open() as one, Path("many.csv").open() as other:
        assert list(csv.reader(one)) == list(csv.reader(other))
    for name in "12":
        summaries = [
            json.loads(Path(out, name, "summary.json").read_text()) for out in ("turn", "many")
        ]
        assert all(summary.pop("speed") for summary in summaries)
        assert summaries[0] == summaries[1]


@pytest.mark.slow
def test_several_processes_write_what_one_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_like_in_turn(tmp_path, capsys, "--jobs", "2")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_ray_cluster_that_does_not_answer_is_an_error_at_once() -> None:
    with socket.socket() as bound:  # and it does not listen
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        for each in (address, f"ray://{address}"):
            with pytest.raises(UserError, match=f"no Ray cluster at {each}: .* or local"):
                check_reachable(each)
    check_reachable("auto")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        check_reachable(f"127.0.0.1:{listening.getsockname()[1]}")


def test_ray_writes_what_one_process_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray.data")
    monkeypatch.chdir(tmp_path)
    check_like_in_turn(tmp_path, capsys, "--ray", "local", "--jobs", "2")
