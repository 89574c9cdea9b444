"""The app in a headless browser, with a network of the package."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emorec.app.sessions import PREFIX
from emorec.data.synthetic.clips import write_dataset
from emorec.data.synthetic.settings import ClipSettings
from tests.app.fakes import files_below
from tests.app.serving import Page, eventually, serving
from tests.report.made_checkpoints import write_checkpoint

pytest.importorskip("gradio")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome")
ANSWER = "#result .label, #result .error"
WAIT = 60_000  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = os.environ.get("EMOREC_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if program is None:
        pytest.skip("no Chromium: EMOREC_CHROMIUM can name one")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A running `emorec app` with random weights."""
    folder = tmp_path_factory.mktemp("page")
    ckpt = write_checkpoint(folder / "best.ckpt")
    command = ["-m", "emorec", "app", "--ckpt", str(ckpt), "--port", "0"]
    with serving(folder, [*command, "--max-megabytes", "0.5", "--max-seconds", "30"]) as page:
        yield page


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic clip of a speaking face."""
    root = tmp_path_factory.mktemp("drawn")
    settings = ClipSettings(width=160, height=120, num_frames=30)
    write_dataset(root, actors=[1], takes=1, settings=settings, num_workers=0)
    return sorted(root.rglob("*.mp4"))[2]


def open_page(browser: Any, page: Page, width: int = 1400, urls: list[str] | None = None) -> Any:
    """Open the page in a new browser context."""
    window = browser.new_context(viewport={"width": width, "height": 900})
    tab = window.new_page()
    if urls is not None:
        tab.on("request", lambda request: urls.append(request.url))
    with tab.expect_request("**/heartbeat/**", timeout=WAIT):  # the page is ready
        tab.goto(page.address)
    tab.wait_for_selector("input[type=file]", state="attached", timeout=WAIT)
    tab.wait_for_timeout(300)
    return tab


def drop(tab: Any, path: Path) -> None:
    tab.set_input_files("input[type=file]", str(path))


def result_text(tab: Any) -> str:
    tab.wait_for_selector(ANSWER, timeout=WAIT)
    return str(tab.inner_text("#result"))


def stored_files(page: Page) -> list[str]:
    [folder] = page.folder.glob(f"{PREFIX}*")
    return files_below(folder)


def test_a_clip_is_shown_with_its_prediction_and_no_other_host_is_contacted(
    browser: Any, page: Page, clip: Path
) -> None:
    urls: list[str] = []
    tab = open_page(browser, page, urls=urls)
    drop(tab, clip)
    assert "Prediction for the whole clip" in result_text(tab)
    assert tab.get_attribute("#result .prose", "aria-live") == "polite"
    assert tab.wait_for_function("document.querySelector('#details video').videoWidth == 160")
    assert tab.wait_for_function("document.querySelector('#details img').naturalWidth > 500")
    assert "surprised" in tab.inner_text("#details")
    assert "CC BY-NC-SA 4.0" in tab.inner_text("body")
    assert {urlsplit(url).netloc for url in urls if url.startswith("http")} == {
        urlsplit(page.address).netloc
    }
    assert len(urls) > 10
    assert stored_files(page) == ["annotated.mp4", "summary.json", "timeline.csv", "timeline.png"]
    tab.context.close()
    assert eventually(lambda: stored_files(page) == [])


def test_files_that_are_not_videos_get_an_error_and_the_next_one_is_predicted(
    browser: Any, page: Page, clip: Path, tmp_path: Path
) -> None:
    broken, text, large = (tmp_path / name for name in ("broken.mp4", "notes.txt", "large.mp4"))
    broken.write_bytes(clip.read_bytes()[:2000])
    text.write_text("no video\n" * 100)
    large.write_bytes(clip.read_bytes() + bytes(600_000))
    tab = open_page(browser, page)
    drop(tab, broken)
    text_shown = result_text(tab)
    assert text_shown.startswith("broken.mp4")
    assert "Traceback" not in text_shown
    assert str(page.folder) not in text_shown
    for path, message in (
        (text, re.compile("Invalid file type")),
        (large, re.compile("exceed the maximum allowed size")),
    ):
        drop(tab, path)
        tab.get_by_text(message).wait_for(timeout=WAIT)
    drop(tab, clip)
    tab.wait_for_selector("#result .label", timeout=WAIT)
    tab.get_by_text("Delete this result now").click()
    tab.wait_for_selector("#result .empty", timeout=WAIT)
    assert stored_files(page) == []
    tab.context.close()
    assert "Traceback" not in page.log.read_text()


def test_two_visitors_with_the_same_clip_get_separate_results(
    browser: Any, page: Page, clip: Path
) -> None:
    tabs = [open_page(browser, page) for _ in range(2)]
    for tab in tabs:
        drop(tab, clip)
    for tab in tabs:
        assert "the whole clip" in result_text(tab)
    sources = {tab.get_attribute("#details video", "src") for tab in tabs}
    assert len(sources) == 2
    tabs[0].context.close()
    assert eventually(lambda: stored_files(page).count("annotated.mp4") == 1)
    assert (
        tabs[1].evaluate(
            "fetch(document.querySelector('#details video').src).then(it => it.status)"
        )
        == 200
    )
    tabs[1].context.close()
    assert eventually(lambda: stored_files(page) == [])


@pytest.mark.parametrize("width", [360, 1000, 1400])
def test_the_page_and_the_table_of_the_sample_clip_fit_into_the_screen(
    browser: Any, page: Page, width: int
) -> None:
    tab = open_page(browser, page, width)
    tab.get_by_role("button", name="Try the sample clip").click()
    assert "nothing about accuracy" in result_text(tab)
    assert tab.wait_for_function("document.querySelector('#details img').naturalWidth > 500")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    table = "document.querySelector('#details table').parentElement"
    assert tab.evaluate(f"{table}.scrollWidth <= {table}.clientWidth")
    tab.context.close()


@pytest.mark.real
def test_a_real_clip_is_predicted(browser: Any, page: Page, ravdess_root: Path) -> None:
    clip = next(path for path in sorted(ravdess_root.rglob("01-01-*.mp4")))
    tab = open_page(browser, page)
    drop(tab, clip)
    assert "the whole clip" in result_text(tab)
    assert tab.wait_for_function("document.querySelector('#details video').videoWidth > 0")
    tab.context.close()
