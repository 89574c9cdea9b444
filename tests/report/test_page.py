"""The report page: one self-contained file with all figures and the commands of the runs."""

import base64
import csv
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from matplotlib.image import imread
from typing_extensions import override

from emorec.data.clip import EMOTIONS
from emorec.report.comparison import Comparison, compare_runs
from emorec.report.models import group_runs
from emorec.report.page import (
    package_versions,
    repeat_command,
    run_commands,
    shared_settings,
    write_report,
)
from emorec.report.runs import Run, find_runs
from emorec.report.tables import describe
from tests.report.conftest import RESAMPLES
from tests.report.made_runs import write_run

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """The elements of a page; fails if a tag is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if "tr" in self.open:
            self.rows[-1][-1] += f"{data} "

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


def write(comparison: Comparison, folder: Path) -> tuple[Page, str]:
    content = describe(comparison)
    write_report(content, folder, command="emorec compare runs --out 'my report'")
    text = (folder / "report.html").read_text(encoding="utf-8")
    return Page(text), text


def compared(folder: Path) -> Comparison:
    return compare_runs(find_runs([folder])[0], resamples=RESAMPLES)


@pytest.fixture(scope="module")
def single_page(
    singles: Comparison, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Page, str, Path]:
    folder = tmp_path_factory.mktemp("report")
    return *write(singles, folder), folder


def test_a_report_has_all_its_files(single_page: tuple[Page, str, Path]) -> None:
    *_, folder = single_page
    names = {path.name for path in folder.iterdir()}
    assert names == {"report.html", "table.md", "table.tex", "table.csv", "figures"}
    figures = sorted(path.name for path in (folder / "figures").iterdir())
    assert len(figures) == 2 * (2 + 3 * 3)  # a PNG and an SVG each; no run has curves
    for name in figures:
        if name.endswith(".png"):
            assert imread(folder / "figures" / name).std() > 0.05
            assert name.replace(".png", ".svg") in figures


def test_the_page_loads_no_external_resources(single_page: tuple[Page, str, Path]) -> None:
    page, text, _ = single_page
    for tag in ("script", "link", "iframe", "object", "embed", "video", "audio", "base"):
        assert not list(page.all(tag))
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:", "#"))
        assert not any(name.startswith("on") for name in attributes)
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_every_figure_is_in_the_page_with_a_description(
    single_page: tuple[Page, str, Path],
) -> None:
    page, _, folder = single_page
    pictures = list(page.all("img"))
    svgs = {path.read_bytes() for path in (folder / "figures").glob("*.svg")}
    start = "data:image/svg+xml;base64,"
    inlined = [base64.b64decode((each["src"] or "").removeprefix(start)) for each in pictures]
    assert set(inlined) == svgs
    assert len(inlined) == len(svgs)
    assert all(each["alt"] for each in pictures)


def test_links_have_existing_targets(single_page: tuple[Page, str, Path]) -> None:
    page, *_ = single_page
    ids = {attributes.get("id") for _, attributes in page.elements}
    links = [attributes["href"] or "" for attributes in page.all("a")]
    assert len(links) >= 6
    assert {link.removeprefix("#") for link in links} <= ids


def test_each_table_is_in_a_scrollable_box(single_page: tuple[Page, str, Path]) -> None:
    page, text, _ = single_page
    assert len(list(page.all("table"))) == text.count('<div class="box"><table')


def test_the_page_has_the_splits_and_the_commands_of_the_runs(
    single_page: tuple[Page, str, Path], single_runs: Path
) -> None:
    page, *_ = single_page
    for network in ("CNNLSTM", "LateFusion", "EarlyFusionCNN"):
        run = single_runs / network / "version_0"
        assert f"emorec fit --config {run}/config.yaml\n" in page.text
        assert f"emorec test --ckpt {run}/checkpoints/best.ckpt\n" in page.text
        [row] = [row for row in page.rows if row[0].split()[:1] == [str(run)]]
        assert [cell.strip() for cell in row[1:]] == [
            *("seed", "-", "0", "1-20", "21-22", "23-24", "0123456789abcdef")
        ]
    assert "emorec compare runs --out 'my report'" in page.text
    assert "class_path: emorec.models.CNNLSTM" in page.text
    assert "# emorec fit --config config.yaml --seed_everything 0" in page.text
    for package in ("Python", "torch", "numpy", "emorec", "date"):
        assert package in page.text
    assert "bootstrap over actors (200 resamples" in page.text


def test_recalls_per_class_and_group_are_those_of_the_clips(
    single_page: tuple[Page, str, Path], single_runs: Path
) -> None:
    page, *_ = single_page
    file = single_runs / "CNNLSTM" / "version_0" / "test" / "predictions.csv"
    lines = list(csv.DictReader(file.read_text().splitlines()))
    rows = {row[0].strip(): [cell.split() for cell in row[1:]] for row in page.rows[::-1] if row}

    def recall(chosen: list[dict[str, str]]) -> str:
        share = sum(line["emotion"] == line["predicted"] for line in chosen) / len(chosen)
        return f"{100 * share:.1f}"

    for emotion in EMOTIONS:
        assert rows[emotion][1][0] == recall([line for line in lines if line["emotion"] == emotion])
    for actor in ("23", "24"):
        assert rows[actor][1][0] == recall([line for line in lines if line["actor"] == actor])
    for field, kind, codes in (
        (3, "intensity", {"01": ": normal", "02": ": strong"}),
        (4, "statement", {"01": " 1", "02": " 2"}),
        (5, "repetition", {"01": " 1", "02": " 2"}),
    ):
        for code, name in codes.items():
            chosen = [line for line in lines if Path(line["path"]).stem.split("-")[field] == code]
            assert rows[f"{kind}{name}"][0] == [str(len(chosen))]
            assert rows[f"{kind}{name}"][1][0] == recall(chosen)
    assert rows["sex: female"][1][0] == recall([line for line in lines if line["actor"] == "24"])


def test_a_leaking_model_is_red_everywhere(leaking: Comparison, tmp_path: Path) -> None:
    page, text = write(leaking, tmp_path)
    assert re.search(r"\.leak \{ color: var\(--red\)", text)
    assert re.search(r'<p class="leak">LEAK in CNN3D', text)
    assert re.search(r'<th scope="row" class="leak">CNN3D<small class="leak">LEAK: ', text)
    assert re.search(r'<th scope="row" class="path leak">[^<]*CNN3D/version_0', text)
    assert "Not reliable: see the leak." in page.text
    assert not re.search(r'class="[^"]*leak"[^>]*>LateFusion', text)


def test_names_are_escaped(tmp_path: Path) -> None:
    name = '<script>alert(1)</script> & "x" [bold]'
    for network in ("CNNLSTM", "CNN3D"):
        trial = {"study": "s", "model": f"{name} {network}", "fold": None, "seed": 0}
        write_run(tmp_path / network, network=network, trial=trial)
    comparison = compared(tmp_path)
    page, text = write(comparison, tmp_path / "report")
    assert not list(page.all("script"))
    assert f"{name} CNN3D" in page.text
    assert "<script" not in text


@pytest.mark.nightly
def test_many_models_are_split_into_tables_of_few_columns(tmp_path: Path) -> None:
    for number in range(7):
        trial = {"study": "s", "model": f"model {number}", "fold": None, "seed": 0}
        write_run(tmp_path / str(number), skill=number / 4, trial=trial, config=False)
    comparison = compared(tmp_path)
    page, _ = write(comparison, tmp_path / "report")
    actors = [row for row in page.rows if row[0].strip() == "23"]
    assert [len(row) for row in actors] == [2 + 4, 2 + 3]
    assert "has no config.yaml: it was started from Python" in page.text
    assert "No training curves (events.out.tfevents.*) in the run folder." in page.text


def test_clips_other_than_ravdess_are_grouped_by_actor_only(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    path = folder / "test" / "predictions.csv"
    path.write_text(path.read_text().replace("/01-01-", "/take-"))
    comparison = compared(folder)
    page, _ = write(comparison, tmp_path / "report")
    assert "Accuracy by actor" in page.text
    assert "by kind of clip" not in page.text


def configured_run(folder: Path, **changed: Any) -> Run:
    path = write_run(folder, split="msaf6", fold=2, seed=3) / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changed))
    [run], _ = find_runs([folder])
    return run


def test_the_commands_of_a_run_use_its_configuration_and_checkpoint(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "my runs"
    assert run_commands(configured_run(folder)) == [
        f"emorec fit --config '{folder}/config.yaml'",
        f"emorec test --ckpt '{folder}/checkpoints/best.ckpt'",
    ]


def test_the_command_of_a_study_run_does_not_overwrite_its_folder(tmp_path: Path) -> None:
    options = {"save_dir": "lightning_logs/studies/s/net", "version": "seed_0"}
    logger = {"class_path": "lightning.pytorch.loggers.TensorBoardLogger", "init_args": options}
    run = configured_run(tmp_path / "run", trainer={"max_epochs": 4, "logger": logger})
    assert run_commands(run)[0].endswith("config.yaml --trainer.logger true")
    [model] = group_runs([run])
    assert "TensorBoardLogger" not in shared_settings(model)


def test_the_command_of_a_run_keeps_a_logger_that_names_no_folder(tmp_path: Path) -> None:
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {}}
    run = configured_run(tmp_path / "run", trainer={"max_epochs": 4, "logger": [logger]})
    assert run_commands(run)[0].endswith("run/config.yaml")


def test_a_baseline_has_its_own_command(tmp_path: Path) -> None:
    run = configured_run(tmp_path / "run", classifier="rbf_svm")
    assert run_commands(run) == [f"emorec baseline --config {tmp_path}/run/config.yaml"]
    assert repeat_command(run).startswith("emorec baseline --config config.yaml --data.fold 2")


def test_a_run_from_python_has_no_command(tmp_path: Path) -> None:
    [run], _ = find_runs([write_run(tmp_path / "run", config=False)])
    assert run_commands(run) == []
    [model] = group_runs([run])
    assert shared_settings(model) == ""


def test_shared_settings_and_flags_reproduce_the_configuration(
    tmp_path: Path,
) -> None:
    run = configured_run(tmp_path / "run")
    [model] = group_runs([run])
    shared = yaml.safe_load(shared_settings(model))
    assert (
        repeat_command(run) == "emorec fit --config config.yaml --data.fold 2 --seed_everything 3"
    )
    shared["data"]["init_args"]["fold"] = 2
    assert {**shared, "seed_everything": 3} == run.config


def test_only_installed_packages_have_a_version() -> None:
    versions = package_versions(("numpy", "no-such-package"))
    assert "no-such-package" not in versions
    assert versions["numpy"][0].isdigit()


@pytest.mark.parametrize(("views", "option"), [(1, ""), (3, " --views 3")])
def test_the_test_command_has_the_number_of_views(tmp_path: Path, views: int, option: str) -> None:
    write_run(tmp_path / "run", extra={"views": views})
    [run], _ = find_runs([tmp_path / "run"])
    assert (
        run_commands(run)[1] == f"emorec test --ckpt {tmp_path}/run/checkpoints/best.ckpt{option}"
    )
