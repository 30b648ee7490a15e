"""The display of a running search in a terminal, and the text of numbers and times."""

from __future__ import annotations

import io
import json
import re
import threading
from pathlib import Path

import pytest
from cli_helpers import ACCURACY, make_trial
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cli.progress import showing, trial_text
from netwright.cli.text import clean, json_line, table
from netwright.progress import Status
from netwright.study.result import Result
from netwright.types import TrialState


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


GOOD = make_trial(3, accuracy=0.91, params=78123.0)
OTHER = make_trial(4, accuracy=0.85, params=20_000.0)
STATUS = Status("search", 5, 2, 1, 3, GOOD, (GOOD, OTHER), 75.0, 525.0, OTHER, "a \x1b[31mred\x1b[0m message")
RESULT = Result(Path("runs/x"), (ACCURACY,), GOOD, num_trials=9, stopped="done", card={"metrics": {}}, verified=True)


def shown(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", "COLUMNS": "100", **environment}.items():
        monkeypatch.setenv(name, value)
    out = Terminal()
    with showing(quiet=False, as_json=False, out=out) as display:
        display(STATUS)
        assert threading.active_count() == 1, "trials are forked from this process"
        display.finish(RESULT)
    return out.getvalue()


def test_a_trial_that_was_not_trained_has_no_epochs() -> None:
    """Refused for its size it was never trained; refused for what training showed, it was."""
    state = TrialState.INFEASIBLE
    assert trial_text(make_trial(1, state=state, params=2e6)) == "trial 1 infeasible: params=2.0M"
    tried = make_trial(2, state=state, error="accuracy is 0.1, the limit is 0.5", accuracy=0.1, epochs=3.0)
    assert trial_text(tried) == "trial 2 infeasible after 3 epochs: accuracy is 0.1, the limit is 0.5"


def test_a_terminal_shows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phase, counts, times, best, front, last trial, message and summary are all there."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown(monkeypatch))
    for part in (
        "a red message",
        "5 finished, 2 running, 1 failed, 3 infeasible",
        "1m15s gone, 8m45s left",
        "trial 3: accuracy=0.91 params=78.1k",
        "trial 4: accuracy=0.85 params=20.0k",
        "trial 4 finished after 3 epochs",
        "9 trials, stopped: done",
        "network: runs/x/best",
    ):
        assert part in text


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR leaves no colour in the terminal, and a terminal without it may have bold."""
    colour = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7])[0-9;]*m")
    assert not colour.search(shown(monkeypatch, NO_COLOR="1"))
    assert "\x1b[1m" in shown(monkeypatch)


def test_a_display_is_closed_by_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends a search, the cursor of the terminal comes back."""
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()

    def search() -> None:
        with showing(quiet=False, as_json=False, out=out) as display:
            display(STATUS)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        search()
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")


def test_quiet_names_the_folder() -> None:
    """The final line of --quiet says where the network lies."""
    out = io.StringIO()
    with showing(quiet=True, as_json=False, out=out) as display:
        display(STATUS)
        display.finish(RESULT)
    assert out.getvalue() == "trial 3: accuracy=0.91 params=78.1k in runs/x/best\n"


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.text())
def test_cleaned_text_is_one_printable_line(text: str) -> None:
    """Whatever comes in, what goes to the terminal cannot steer it."""
    assert all(c == " " or c.isprintable() or c.isspace() for c in clean(text))
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]", clean(text))
    assert len(clean(text, 10)) <= 10


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_json_lines_are_standard_json(value: object) -> None:
    """Any value is one line of ASCII that every JSON parser reads, without NaN."""
    line = json_line(value)
    assert line.isascii()
    assert "\n" not in line
    json.loads(line, parse_constant=pytest.fail)


def test_tables_align_numbers_right() -> None:
    """A column of numbers is flush right, others left; cells that are too long are cut."""
    assert table(("a", "name"), [(1, "x"), (22, "y" * 70)]).splitlines() == [
        " a  name",
        " 1  x",
        "22  " + "y" * 57 + "...",
    ]
