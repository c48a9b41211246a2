"""The pages in a real Chromium: they work, say no error, and ask nobody but this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.web.server import serve
from tests.web.conftest import make_app, migrate
from tests.web.filling import HOSTILE, Filling, fill_desk

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    named = os.environ.get("AFTERSAIL_CHROMIUM")
    for candidate in filter(None, [named, "/usr/bin/chromium", shutil.which("chromium")]):
        if Path(candidate).exists():
            return candidate
    missing = "no Chromium: install it (apt-get install chromium), or set AFTERSAIL_CHROMIUM to its path"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def desk(_sqlite_databases, tmp_path_factory) -> Iterator[tuple[str, int, Filling]]:
    """A filled desk on the real clock, since the browser counts down on its own."""
    now = datetime.now(UTC).replace(microsecond=0)
    app = make_app(_sqlite_databases.fresh("web", migrate), tmp_path_factory.mktemp("desk"), lambda: datetime.now(UTC))
    filling = Filling(app.engine, now)
    ticket = fill_desk(filling)
    with serve(app, "127.0.0.1:0") as url:
        yield url, ticket, filling
    app.close()


@pytest.fixture
def page(browser, desk):
    """A page in Shanghai's zone that fails the test for any error it logs and any request to somebody else."""
    context = browser.new_context(
        timezone_id="Asia/Shanghai", locale="en-GB", viewport={"width": 1280, "height": 900}, base_url=desk[0]
    )
    errors, strangers = [], []
    page = context.new_page()
    page.on("console", lambda message: errors.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}"))
    page.on(
        "request", lambda asked: strangers.append(asked.url) if urlsplit(asked.url).hostname != "127.0.0.1" else None
    )
    yield page
    context.close()
    assert errors == []
    assert strangers == []


def test_the_inbox_opens_a_ticket_by_click(page, desk):
    page.goto("/")
    rows = page.locator("tbody tr")
    assert rows.count() == 4
    assert "late" in rows.nth(0).inner_text()
    page.get_by_role("link", name="My lamp arrived broken").click()
    page.wait_for_url(f"**/tickets/{desk[1]}")
    assert page.get_by_role("heading", level=1).inner_text() == "My lamp arrived broken"
    assert HOSTILE in page.locator(".message.inbound .text").first.inner_text()
    assert page.locator("pre.trace").first.is_visible()


def test_what_usually_helps_opens_by_click(page, desk):
    page.goto(f"/tickets/{desk[1]}")
    solution = page.locator("details.solution").first
    assert not solution.locator("li").first.is_visible()
    solution.locator("summary").click()
    assert solution.locator("li").first.is_visible()


def test_instants_are_shown_in_the_browsers_zone_with_utc_beside(page, desk):
    page.goto(f"/tickets/{desk[1]}")
    sent = desk[2].now - timedelta(hours=3)
    shown = page.locator(".message.inbound time").first
    there = sent + timedelta(hours=8)  # Shanghai has no summer time.
    assert there.strftime("%H:%M") in shown.inner_text()
    assert shown.get_attribute("title") == sent.strftime("%Y-%m-%d %H:%M:%S UTC")


def test_the_inbox_refreshes_itself(page, desk):
    _, _, filling = desk
    page.goto("/?state=waiting")
    assert page.locator(".empty").is_visible()
    ticket = filling.ticket(subject="Came while nobody pressed a key", state="waiting")
    page.locator("#inbox").evaluate("node => htmx.trigger(node, 'every')")
    page.get_by_role("link", name="Came while nobody pressed a key").wait_for()
    assert "UTC" not in page.locator("#inbox .note time").inner_text()
    with filling.engine.begin() as conn:
        conn.execute(sa.delete(tables.ticket).where(tables.ticket.c.id == ticket))


def test_a_filter_acts_at_once(page):
    page.goto("/")
    page.get_by_label("State").select_option("closed")
    page.get_by_role("link", name="Thanks, all good").wait_for()
    assert page.url.endswith("?state=closed&channel=")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
def test_every_page_fits_the_screen(page, desk, scheme, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    shots = os.environ.get("AFTERSAIL_SCREENSHOTS")
    for name, path in {
        "inbox": "/?state=all",
        "ticket": f"/tickets/{desk[1]}",
        "channels": "/channels",
        "refunds": "/refunds",
        "figures": "/figures",
    }.items():
        page.goto(path)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{path} is {overflow} px too wide at {width} px"
        if shots:
            page.screenshot(path=f"{shots}/{name}-{scheme}-{width}.png", full_page=True)


def test_the_keyboard_skips_to_the_content(page):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
