"""What the documents name exists: links, tasks, task options, strategies, benchmarks, commands, options and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest
import typer

from netwright.benchmarks import BENCHMARKS
from netwright.cli.bench import TABLE
from netwright.cli.main import make_app
from netwright.gradient_methods import DIFFERENTIABLE
from netwright.spec import SearchSpec
from netwright.strategies import STRATEGIES
from netwright.tasks import TASKS, task_class

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*map(ROOT.joinpath, ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(ROOT.glob("docs/**/*.md"))]
PAGES = {
    "image-classification": "images",
    "image-multilabel": "images",
    "object-detection": "detection",
    "text-classification": "text",
    "language-model": "text",
    "tabular-classification": "tabular",
    "tabular-regression": "tabular",
    "series-classification": "series",
    "series-forecasting": "series",
    "node-classification": "graphs",
}
"""Page of each task that has not one of its own name."""


def text_of(name: str) -> str:
    """A document of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """Anchors of a document's headings, as they are made on the web."""
    heads = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def commands(path: Path) -> Iterator[list[str]]:
    """The words of each ``netwright`` command in a document's blocks of code."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"\s*(?:\$ )?(?:[A-Z_]+=\S+ )*netwright (.*)", line)
            if found:
                yield re.sub(r"\s#.*", "", found[1]).split()


@cache
def app() -> Any:
    """The command line."""
    return typer.main.get_command(make_app())


def of_the_app(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words name, and the words behind its name."""
    command = app()
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings_that_exist(path: Path) -> None:
    """Of links within the repository."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_have_the_options_they_are_shown_with(path: Path) -> None:
    """Of every command in a block of code."""
    strange = []
    for words in commands(path):
        command, rest = of_the_app(words)
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        given = {word.strip("[]").partition("=")[0] for word in rest if word.startswith(("--", "[--"))}
        strange += [f"{' '.join(words)}: {option}" for option in sorted(given - known - {"--help", "--debug"})]
        if hasattr(command, "commands"):
            strange.append(f"{' '.join(words)}: no such command")
    assert strange == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_scripts_and_make_targets_that_are_named_exist(path: Path) -> None:
    """Benchmarks, examples, and what make is asked for."""
    text, targets = path.read_text(encoding="utf-8"), re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE)
    scripts = set(re.findall(r"\b(?:benchmarks|examples)/\w+\.py", text))
    assert sorted(name for name in scripts if not (ROOT / name).is_file()) == []
    assert sorted(set(re.findall(r"`make ([a-z-]+)", text)) - set(targets)) == []


@pytest.mark.parametrize("task", TASKS)
def test_each_task_is_in_the_overviews_and_its_options_on_its_page(task: str) -> None:
    """A newcomer finds a task from the README, and all that may be said of its data on one page."""
    page = f"docs/tasks/{PAGES.get(task, task)}.md"
    assert f"`{task}`" in text_of("README.md")
    assert page in text_of("README.md")
    assert f"`{task}`" in text_of("docs/tasks.md")
    load = signature(task_class(task).load).parameters.values()
    options = [p.name for p in load if p.kind is Parameter.KEYWORD_ONLY and p.name != "seed"]
    assert [name for name in options if f"`{name}`" not in text_of(page)] == []


def test_each_strategy_and_benchmark_is_named() -> None:
    """In the README, the page of the command line and the help of bench."""
    readme, page = text_of("README.md"), text_of("docs/cli.md")
    assert [name for name in (*STRATEGIES, *DIFFERENTIABLE) if f"`{name}`" not in readme] == []
    assert [name for name in BENCHMARKS if f"`{name}`" not in page] == []
    assert [name for name in BENCHMARKS if name not in TABLE] == []


def test_keys_that_run_what_they_name_are_warned_of() -> None:
    """A specification from a stranger can run a file by two keys and a command by a third."""
    page = text_of("docs/cli.md")
    warning = page[page.index("**runs that file**") - 200 : page.index("from a stranger")]
    risky = [name for name in SearchSpec.model_fields if name in ("space", "task", "latency_device_command")]
    assert [name for name in risky if f"`{name}`" not in warning] == []


def test_the_readme_is_read_in_three_minutes() -> None:
    """At 238 words a minute (Brysbaert 2019), without tables and blocks of code, which are looked over."""
    text = re.sub(r"^```.*?^```$", "", text_of("README.md"), flags=re.MULTILINE | re.DOTALL)
    prose = " ".join(line for line in text.splitlines() if not line.startswith("|"))
    assert len(prose.split()) <= 3 * 238
