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

from emorec.pretrained import BUILT_IN, DIGESTS, weights_file

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECORDINGS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".wav", ".mp3", ".flac", ".m4a"}
WEIGHTS = {
    ".ckpt",
    ".pt",
    ".pth",
    ".pt2",
    ".npy",
    ".npz",
    ".onnx",
    ".safetensors",
    ".task",
    ".tflite",
}
# Split, so that this file does not contain them.
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted",
    "anaconda" + ".org",
    "--index" + "-url",
    "--find" + "-links",
]


@pytest.fixture(scope="module")
def repository_files() -> list[Path]:
    """Files that are committed, or would be with the next commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture
def make(tmp_path):
    """Return a function that runs make with the Makefile of the project in an empty folder."""
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


def test_the_version_is_consistent():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert PROJECT["version"] == citation["version"] == newest[1]


def test_the_licence_is_consistent():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (
        PROJECT["license"] == "Apache-2.0 AND MIT AND CC-BY-NC-SA-4.0"
    )  # of the code, and of all weights
    assert citation["license"] == "Apache-2.0"
    assert (
        "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    )


def test_no_file_names_the_host_of_a_package_registry(repository_files):
    texts = {path: path.read_bytes() for path in repository_files}
    assert [
        path for path, text in texts.items() if any(host.encode() in text for host in HOSTS)
    ] == []


def test_the_only_weights_in_the_repository_are_those_with_source_licence_and_digest(
    repository_files,
):
    weights = {path for path in repository_files if path.suffix.lower() in RECORDINGS | WEIGHTS}
    checked = {weights_file(name) for name in DIGESTS}
    assert weights == {path for path in checked if path.suffix != ".json"}
    notice = (ROOT / "emorec/pretrained/NOTICE.md").read_text()
    own = {f"{name}{suffix}" for name in BUILT_IN for suffix in (".json", ".onnx", ".safetensors")}
    assert [name for name in {*DIGESTS} - own if f"| `{name}` |" not in notice] == []
    assert all(f"`{name}.*`" in notice for name in BUILT_IN)


def test_no_other_file_in_the_repository_is_large(repository_files):
    large = {path for path in repository_files if path.stat().st_size > 500_000}
    assert large - {weights_file(name) for name in DIGESTS} == set()


def test_runs_are_ignored_and_their_readme_is_not(repository_files):
    assert {path for path in repository_files if path.is_relative_to(ROOT / "lightning_logs")} == {
        ROOT / "lightning_logs" / "README.md"
    }


def test_constraints_pin_an_allowed_version_of_every_requirement():
    extras = PROJECT["optional-dependencies"].values()
    requirements = [Requirement(text) for text in chain(PROJECT["dependencies"], *extras)]
    pinned = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        pins = [
            candidate.specifier for candidate in pinned if canonicalize_name(candidate.name) == name
        ]
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
            selected = [name for name, marker in markers.items() if marker.evaluate(platform)]
            old = system == "win32" or (system, machine) == ("linux", "x86_64")
            assert selected == (["decord"] if old else ["decord2"])


def test_every_make_target_has_a_description(make):
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)", text, re.MULTILINE)
    assert phony is not None
    descriptions = dict(line.split(maxsplit=1) for line in make("help").stdout.splitlines())
    assert sorted(descriptions) == sorted(phony[1].split())
    assert make().stdout == make("help").stdout


def test_make_refuses_an_old_python_in_one_line(make):
    result = make("test", "PYTHON=")
    assert result.returncode != 0
    assert "emorec needs Python 3.11 or newer" in result.stderr
    assert "make test PYTHON=" in result.stderr


def test_make_install_runs_only_after_a_change(make, tmp_path):
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
