"""Imports run one way through the folders, and never in a circle; late imports count as well."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "emorec"

LEVELS = (
    {
        *("errors", "commit", "text", "io", "parser", "image_size", "console"),
        *("person_statistics", "pretrained"),
    },
    {"data", "layers", "evaluation", "shipped", "hub"},
    {"models", "checkpoint"},
    {"callbacks"},
    {"experiment"},
    {"inference", "study", "report", "explain", "baseline", "bench", "app", "doctor"},
    {"cli"},
)
"""Folders and files of the package: each imports from lower levels, and some from their own (`SIBLINGS`)."""

SIBLINGS = {
    **dict.fromkeys(("text", "io", "parser", "image_size", "pretrained"), LEVELS[0]),
    "models": {"checkpoint"},
    "explain": {"inference"},
    "baseline": {"inference"},
    "bench": {"inference"},
    "app": {"inference", "report"},
}
"""Modules that may import from their own level, and what."""

ENTRY_POINTS = {"emorec", "emorec.__main__"}
"""Modules above all others: the public names, and `python -m emorec`."""


@cache
def modules() -> dict[str, Path]:
    """Return the map from module name to file."""
    return {
        ".".join(("emorec", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imports(module: str) -> Iterator[str]:
    """Yield the modules of the package that a module imports, also within functions."""
    path = modules()[module]
    tree = ast.parse(path.read_text())
    lazy = {
        id(child)
        for node in ast.walk(tree)
        if path.name == "__init__.py" and isinstance(node, ast.If)
        for child in ast.walk(node)  # `if TYPE_CHECKING`: public names that are imported on demand
    }
    for node in ast.walk(tree):
        if id(node) in lazy:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module in modules():
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules() else node.module


def top_level(module: str) -> str:
    """Return the top-level folder or file of a module."""
    return module.split(".")[1]


def may_import(importer: str, imported: str) -> bool:
    if importer == imported or imported in SIBLINGS.get(importer, ()):
        return True
    level = {name: number for number, names in enumerate(LEVELS) for name in names}
    return level[imported] < level[importer]


def test_every_folder_has_a_level() -> None:
    parts = {top_level(module) for module in modules() if module not in ENTRY_POINTS}
    assert parts == set.union(*LEVELS)


@pytest.mark.parametrize("importer", sorted(modules().keys() - ENTRY_POINTS))
def test_imports_follow_the_levels(importer: str) -> None:
    wrong = {
        imported
        for imported in imports(importer)
        if imported not in ENTRY_POINTS and not may_import(top_level(importer), top_level(imported))
    }
    assert wrong == set()


def test_imports_have_no_cycles() -> None:
    graph = {module: set(imports(module)) - {module, *ENTRY_POINTS} for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_every_console_prints_names_as_they_are() -> None:
    made = re.compile(r"(?<!\w)(_?Console|get_console)\(|rich import print|from_markup")
    files = {name for name, path in modules().items() if made.search(path.read_text())}
    assert files == {"emorec.console"}
