"""Settings of Sphinx, which builds the pages of this folder: `make docs`."""

import os
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from docutils import nodes
from nbclient import NotebookClient
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

REPOSITORY = Path(__file__).parents[1]

INCLUDED = {
    "CHANGELOG": "changelog",
    "CONTRIBUTING": "contributing",
    "RESULTS": "results",
    "emorec/pretrained/face_and_sound": "face_and_sound",
    "emorec/pretrained/face_and_sound_adapted": "face_and_sound_adapted",
    "lightning_logs/README": "run_folders",
}
"""Markdown file of the repository, without suffix -> the page that shows it."""

project = "emorec"
author = "The emorec authors"
release = metadata.version("emorec")
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
suppress_warnings = ["config.cache"]
# Blocks without a language are commands.
highlight_language = "bash"
# Single backticks in docstrings are code.
default_role = "code"

myst_heading_anchors = 4
nb_execution_mode = "force"  # notebooks are committed without outputs
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # seconds a cell, on a busy machine
nb_execution_show_tb = True
nb_merge_streams = True
nb_ipywidgets_js = {}  # no page needs it, and it comes from another machine

autodoc_inherit_docstrings = False  # those of Lightning are its own
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_title = f"emorec {release}"
html_static_path = ["static"]
html_css_files = ["emorec.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "emorec"},
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}
copyright = "the emorec authors, Apache License 2.0"  # noqa: A001 - Sphinx's name
copybutton_exclude = ".linenos, .gp, .go, .c1"

# Programs that the notebooks start write plain text.
os.environ["NO_COLOR"] = "1"
os.environ["COLUMNS"] = "88"
# What a program prints arrives in pieces, which would else begin new lines.
NotebookClient.coalesce_streams = True


def link_included_pages(app: Sphinx, doctree: nodes.document) -> None:
    """Let links to a Markdown file of the repository lead to the page that shows it."""
    for link in doctree.findall(pending_xref):
        path = Path(app.srcdir, link["reftarget"])
        if path.is_relative_to(REPOSITORY):
            name = path.relative_to(REPOSITORY).as_posix()
            link["reftarget"] = INCLUDED.get(name, link["reftarget"])


def escape(*event: Any) -> None:
    """Keep a docstring's sentences whole.

    Napoleon takes the first half of a sentence with a colon for the type of a property, and docutils the axis in
    "num_frames: T." for the first item of a list.
    """
    _, what, _, _, _, lines = event
    if what == "property" and lines:
        lines[0] = lines[0].replace(": ", " - ")
    lines[:] = [re.sub(r": ([A-Z]\.)$", r": \\\1", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Connect the functions above to Sphinx's events."""
    app.connect("doctree-read", link_included_pages)
    app.connect("autodoc-process-docstring", escape, priority=400)  # before Napoleon, at 500
