"""Records the commit that a wheel or a source archive is built from; `emorec --version` prints it."""

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the file with the commit; a source archive already has it, and an editable install asks git."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file, and name it to the builder."""
        package = Path(self.root, "emorec")
        # not imported: emorec itself needs packages that are not there while it is built
        module = runpy.run_path(str(package / "commit.py"))
        name, commit = module["COMMIT_FILE"], module["source_commit"](package)
        if commit is None or version == "editable" or (package / name).exists():
            return
        self._folder = tempfile.TemporaryDirectory()
        recorded = Path(self._folder.name, name)
        recorded.write_text(f"{commit}\n", encoding="ascii")
        build_data["force_include"][str(recorded)] = f"emorec/{name}"

    def finalize(self, *_: Any) -> None:
        """Remove the file."""
        if self._folder is not None:
            self._folder.cleanup()
