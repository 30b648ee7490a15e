"""Scripts of benchmarks write the pages of docs/figures as they are: a new measurement keeps heading and command."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(ROOT.glob("docs/figures/*.md"))
TOLD = "netwright 0.1.0, numpy 2.4.6; seeds 0 to 19; protocol A"
HEADS: dict[str, tuple[str, Callable[[ModuleType], str]]] = {
    "fidelities": ("fidelities_nb201", lambda script: script.head(150.0, noise=False)),
    "fidelities_noise": ("fidelities_nb201", lambda script: script.head(150.0, noise=True)),
    "ladder": ("ladder_nb201", lambda script: script.HEAD),
    "latency": ("latency_agreement", lambda script: script.HEAD.format(sample=50)),
    "priors": ("priorband_nb201", lambda script: script.HEAD.format(seeds=50)),
    "transfer": ("transfer_nb201", lambda script: "# Transfer " + script.TEXT.format(versions=TOLD, seeds=20)),
}
"""By page: its script, and what that writes before the tables, with the options the page was made with."""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a script of benchmarks, which may import those beside it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return import_module


def words(text: str) -> str:
    """A text as one line."""
    return " ".join(text.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_of_figures_has_a_heading_and_names_its_script(page: Path) -> None:
    """Every figure can be measured again."""
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "benchmarks/" in text


@pytest.mark.parametrize("page", HEADS)
def test_a_script_begins_a_page_as_it_is(script: Callable[[str], ModuleType], page: str) -> None:
    """Heading and command, whatever the lines are broken at."""
    name, head = HEADS[page]
    text = (ROOT / f"docs/figures/{page}.md").read_text(encoding="utf-8")
    assert words(text).startswith(words(head(script(name))))


def test_tables_are_added_below_one_heading(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """The head is written once, and a section of another script is begun below it."""
    add, page = script("fidelities_nb201").add_table, tmp_path / "page.md"
    for head, line in (("# A\n\nhow\n", "| 1 |"), ("# A\n\nhow\n", "| 2 |"), ("## B\n", "| 3 |")):
        add(page, head, [line])
    assert page.read_text(encoding="utf-8") == "# A\n\nhow\n\n| 1 |\n\n| 2 |\n\n## B\n\n| 3 |\n\n"
    assert script("ladder_curves").HEAD in (ROOT / "docs/figures/ladder.md").read_text(encoding="utf-8")


def test_loading_is_written_from_its_rows(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """Those of the repository give its page."""
    figures = ROOT / "docs/figures"
    shutil.copy(figures / "loading.jsonl", tmp_path)
    script("loading").record(tmp_path / "loading.md", [])
    assert (tmp_path / "loading.md").read_text("utf-8") == (figures / "loading.md").read_text("utf-8")


def test_searches_at_equal_time_tell_the_command_that_gives_all_rows(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds and arms are those of the rows, which may have been run one at a time."""
    equal, graphs = script("at_equal_time"), script("graph_cora")
    monkeypatch.setattr("sys.argv", ["graph_cora.py"])
    cases = [equal.Case("cora", "node-classification", "", "test_accuracy", False, graphs.REFERENCES)]
    rows = [
        {"set": "cora", "arm": arm, "seed": seed, "test_accuracy": 0.5 + 0.1 * seed}
        for arm in ("appnp", "gcn", "search")
        for seed in (2, 0, 1)
    ]
    text = equal.table(cases, rows, Namespace(budget="75s", workers=2), graphs.__doc__)
    page = (ROOT / "docs/figures/graphs.md").read_text(encoding="utf-8")
    assert text.partition(";")[0] == page.partition(";")[0]


def test_an_arm_of_speech_counts_once_a_seed(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """A run that is repeated is no further seed: its interval would be too narrow."""
    speech, path = script("speech_fsdd"), tmp_path / "a.jsonl"
    assert not speech.recorded(path)
    rows = [{"set": "fsdd", "budget": "15m", "arm": "gru", "seed": seed, "test_wer": seed / 10} for seed in (0, 1, 1)]
    rows[2]["test_wer"] = 0.3
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    assert [rows[0], rows[2]] == speech.recorded(path)
