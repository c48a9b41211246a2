"""The pages agree with the code: generated parts are fresh, tables complete, commands, links and samples real."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import shlex
import textwrap
import tomllib
from pathlib import Path

import click
import httpx
import pytest
from pydantic import BaseModel

from aftersail.core.cli.main import cli
from aftersail.core.contract import ChannelError
from aftersail.core.hookspecs import ChannelSpec, HostSpec
from aftersail.core.host import Host
from aftersail.core.host.plugins import Candidate
from aftersail.core.jobs import JobState
from aftersail.core.policy import check
from aftersail.core.policy.pack import Action, CalendarRow, ClockRow, PackFile, RuleRow, TargetRow, TargetWhen
from aftersail.core.policy.rights import (
    AppliesRow,
    CostRow,
    ExceptionRow,
    HighRisk,
    LiabilityRow,
    RefundDueRow,
    RemedyRow,
    RouteRow,
    Season,
    SourceEntry,
    WindowRow,
)
from aftersail.core.remedies import RemedyState
from aftersail.core.remedies.states import _FROM
from aftersail.core.runtime.settings import ChannelSettings, Settings
from aftersail.sdk import ChannelContext, ConnectorSettings, Parcel, TrackingStatus
from aftersail.sdk.testing.context import START

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "examples").glob("*/*.md")])
HOOKS = {name: value for spec in (HostSpec, ChannelSpec) for name, value in vars(spec).items() if callable(value)}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def code(page, language):
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def load(path):
    spec = importlib.util.spec_from_file_location(f"{path.stem}_of_docs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def script(name):
    return load(DOCS / f"{name}.py")


def rows_of(page, heading):
    """The first words in backticks of the rows of the first table after a heading."""
    table = re.search(r"(?:^\|.*\n)+", page[page.index(heading) :], re.MULTILINE)[0]
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


# -- generated ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hooks.md", "packs.md"])
def test_generated_parts_are_fresh(name):
    assert read(f"docs/{name}") == script("generate").pages()[name], "run: python docs/generate.py"


def test_a_page_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="no section 'facts'"):
        script("generate").with_section("# Facts\n", "facts", "")


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_meaning_and_an_example_that_parses(name):
    doc = inspect.getdoc(HOOKS[name])
    meaning, found, example = doc.partition("Example:\n")
    assert len(meaning.split()) > 3, "a hook says what it is for"
    assert found, "a hook has an example"
    (block,) = code(textwrap.dedent(example), "python")
    defined = {node.name for node in ast.walk(ast.parse(block)) if isinstance(node, ast.FunctionDef)}
    assert name in defined
    assert f"### {name}\n" in read("docs/hooks.md")


def test_no_hook_is_said_to_be_called_that_is_not():
    generate = script("generate")
    assert generate.is_called("issue_refund")
    assert generate.is_called("aftersail_ticket_opened")
    assert not generate.is_called("aftersail_never")
    assert not generate.is_called("never_such_a_hook")


# -- the picture -------------------------------------------------------------------------------------------------------


def test_the_picture_is_small_and_asks_no_other_server():
    picture = read("docs/demo.svg")
    assert len(picture.encode()) < 150_000
    assert set(re.findall(r"https?://[^\s\"'<)]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in picture
    assert picture.count(">agrees<") == 2


def test_the_picture_shows_what_it_is_given():
    drawn = script("make_demo_svg").draw("\x1b[32magrees\x1b[0m 100 %")
    assert "agrees" in drawn
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


# -- tables ------------------------------------------------------------------------------------------------------------


def keys(model, prefix=""):
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{prefix}{name}.")
        elif name == "channels":
            yield from (f"channels.ID.{inner}" for inner in ChannelSettings.model_fields)
        else:
            yield prefix + name


def test_every_setting_is_explained_and_no_other():
    assert sorted(rows_of(read("docs/seller.md"), "## Settings")) == sorted(keys(Settings))


KEYS = (PackFile, AppliesRow, SourceEntry, HighRisk, CalendarRow, TargetRow, TargetWhen, ClockRow, RuleRow, Action)
RIGHTS = (WindowRow, Season, ExceptionRow, LiabilityRow, CostRow, RefundDueRow, RouteRow, RemedyRow)


@pytest.mark.parametrize("model", [*KEYS, *RIGHTS])
def test_every_key_of_a_pack_is_explained(model):
    page = read("docs/packs.md")
    missing = [name for name in model.model_fields if not re.search(rf"`{name}[`:]", page)]
    assert not missing


def test_the_sample_pack_is_right(tmp_path):
    (sample,) = [block for block in code(read("docs/packs.md"), "yaml") if block.startswith("id:")]
    path = tmp_path / "my-pack.yaml"
    path.write_text(sample, encoding="utf-8")
    assert check(path) == []


def test_every_error_state_and_job_state_is_explained():
    operating = read("docs/operating.md")
    assert set(rows_of(operating, "## What the errors mean")) == {
        error.__name__ for error in ChannelError.__subclasses__()
    }
    assert rows_of(operating, "## Jobs") == list(JobState)
    assert rows_of(read("docs/seller.md"), "## Refunds") == list(RemedyState)


def test_the_state_diagram_is_the_state_machine():
    arrows = set(re.findall(r"^  (\w+) --> (\w+)$", read("docs/architecture.md"), re.MULTILINE))
    assert arrows == {(str(source), str(to)) for to, sources in _FROM.items() for source in sources}


def test_the_rooms_stand_in_the_order_that_is_kept():
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    wanted = [" ".join(one.rpartition(".")[2] for one in layer.split(" : ")) for layer in layers]
    page = read("docs/architecture.md")
    drawn = code(page[page.index("## Who may import whom") :], "text")[0]
    assert [" ".join(line.split()) for line in drawn.splitlines()] == wanted


def test_every_log_event_and_variable_that_is_named_exists():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "aftersail").rglob("*.py"))
    operating = read("docs/operating.md")
    table = re.search(r"(?:^\|.*\n)+", operating[operating.index("## Logs") :], re.MULTILINE)[0]
    events = re.findall(r"`([a-z_]+)`", "".join(line.split("|")[1] for line in table.splitlines()))
    assert events
    assert [name for name in events if f'"{name}"' not in sources] == []
    named = {
        name for page in PAGES for name in re.findall(r"\bAFTERSAIL_[A-Z_]+[A-Z]", page.read_text(encoding="utf-8"))
    }
    known = {name for name in named if name in sources or name.startswith("AFTERSAIL_CHANNEL")}
    assert named == known


# -- commands, links, samples ------------------------------------------------------------------------------------------


def commands():
    for page in PAGES:
        for block in code(page.read_text(encoding="utf-8"), "console"):
            for line in block.splitlines():
                found = re.match(r"(?:\$ )?(aftersail .*?)(?:\s+#.*)?$", line)
                if found:
                    yield pytest.param(found[1], id=f"{page.name}: {found[1]}")


@pytest.mark.parametrize("line", list(commands()))
def test_every_command_that_is_shown_exists(line):
    words = shlex.split(line)[1:]
    command, context = cli, click.Context(cli, info_name="aftersail", resilient_parsing=False)
    context.meta["aftersail.called"] = True
    while isinstance(command, click.Group):
        if command.invoke_without_command and (not words or words[0].startswith("--")):
            break
        while words and words[0].startswith("--"):
            assert any(words[0] in option.opts for option in command.params), line
            words = words[1:]
        assert words, line
        command = command.get_command(context, words[0])
        assert command is not None, line
        words = words[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known | {"--help", "--json"}, line
    command.make_parser(click.Context(command)).parse_args([word for word in words if word != "--help"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}
            assert anchor in slugs, target


def test_the_pages_of_the_site_are_those_that_are_there():
    names = re.findall(r"^  - [^:]+: (\S+\.md)$", read("mkdocs.yml"), re.MULTILINE)
    assert sorted(names) == sorted(path.name for path in DOCS.glob("*.md"))


def test_the_connector_of_the_readme_tracks_a_parcel(tmp_path):
    (block,) = code(read("README.md"), "python")
    path = tmp_path / "post.py"
    path.write_text(block, encoding="utf-8")
    host = Host([Candidate(name="post", distribution="aftersail-post 1.0", load=lambda: load(path))])
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"status": request.url.path[1:]}))
    context = ChannelContext(channel_id="post", now=lambda: START, transport=transport)
    (tracked,) = host.build_channel("post", ConnectorSettings(), context).track_shipment(
        (Parcel(tracking_number="delivered"),)
    )
    assert tracked.status is TrackingStatus.DELIVERED
