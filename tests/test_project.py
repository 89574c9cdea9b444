import os
import re
import shutil
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECORDINGS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".wav", ".mp3", ".flac", ".m4a"}
WEIGHTS = {".ckpt", ".pt", ".pth", ".pt2", ".npy", ".npz", ".onnx"}
# In pieces, so that this file does not name them itself.
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted",
    "anaconda" + ".org",
    "--index" + "-url",
    "--find" + "-links",
]


@pytest.fixture(scope="module")
def committed() -> list[Path]:
    """The files that are, or on the next commit would be, in the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture
def make(tmp_path):
    """Runs make on the project's Makefile in an empty folder, with no more on the path than it needs."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables}
        return subprocess.run(
            ["make", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_version_is_the_same_wherever_it_stands():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert PROJECT["version"] == citation["version"] == newest[1]


def test_the_licence_is_the_same_wherever_it_stands():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["license"] == citation["license"] == "Apache-2.0"
    assert (
        "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    )


def test_no_file_names_the_host_of_a_package_registry(committed):
    texts = {path: path.read_bytes() for path in committed}
    assert [
        path for path, text in texts.items() if any(host.encode() in text for host in HOSTS)
    ] == []


def test_no_recording_and_no_weights_are_in_the_repository(committed):
    assert [path for path in committed if path.suffix.lower() in RECORDINGS | WEIGHTS] == []


def test_no_file_in_the_repository_is_large(committed):
    assert [path for path in committed if path.stat().st_size > 500_000] == []


def test_runs_are_ignored_and_their_readme_is_not(committed):
    assert {path for path in committed if path.is_relative_to(ROOT / "lightning_logs")} == {
        ROOT / "lightning_logs" / "README.md"
    }


def test_constraints_hold_one_allowed_version_of_every_requirement():
    extras = PROJECT["optional-dependencies"].values()
    wanted = [Requirement(text) for text in chain(PROJECT["dependencies"], *extras)]
    pinned = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        pins = [each.specifier for each in pinned if canonicalize_name(each.name) == name]
        versions = [str(pin).removeprefix("==") for pin in pins]
        assert versions or name == "emorec", f"{name} has no pin: make constraints"
        assert all(map(requirement.specifier.contains, versions)), f"{name}: make constraints"


def test_no_platform_gets_both_decoders():
    markers = {
        requirement.name: requirement.marker
        for requirement in map(Requirement, PROJECT["dependencies"])
        if requirement.name.startswith("decord")
    }
    for system in ("linux", "darwin", "win32"):
        for machine in ("x86_64", "AMD64", "aarch64", "arm64"):
            platform = {"sys_platform": system, "platform_machine": machine}
            taken = [name for name, marker in markers.items() if marker.evaluate(platform)]
            old = system == "win32" or (system, machine) == ("linux", "x86_64")
            assert taken == (["decord"] if old else ["decord2"])


def test_every_make_target_says_what_it_does(make):
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)", text, re.MULTILINE)
    assert phony is not None
    told = dict(line.split(maxsplit=1) for line in make("help").stdout.splitlines())
    assert sorted(told) == sorted(phony[1].split())
    assert make().stdout == make("help").stdout


def test_without_a_new_enough_python_make_says_so_in_one_line(make):
    done = make("test", "PYTHON=")
    assert done.returncode != 0
    assert "emorec needs Python 3.11 or newer" in done.stderr
    assert "make test PYTHON=" in done.stderr


def test_nothing_is_installed_twice(make, tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    assert make("--question", "install").returncode == 0
    os.utime(tmp_path / "pyproject.toml", (2**32, 2**32))
    assert make("--question", "install").returncode == 1


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_every_table_of_a_document_begins_with_its_header(document: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    for table in re.findall(r"(?:^\|.*\n?)+", prose, re.MULTILINE):
        lines = table.splitlines()
        assert len(lines) > 2, table
        assert re.fullmatch(r"\|[\s:|-]+\|", lines[1]), table
