"""Going on with a search: larger budgets, changed spaces and code, signals (catalogue D 30 to 32, A 7)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import netwright as nw
from netwright.errors import SpecError, StudyMismatchError
from netwright.storage import Store
from netwright.study.clock import Clock
from netwright.study.equal_time import EqualTime
from netwright.study.opening import prepare, prepare_again, record_of, write_specification
from netwright.study.recorded import read_recorded
from netwright.study.settings import Settings
from netwright.study.setup import Parts


def make_space(top: int = 9) -> nw.SearchSpace:
    """Two numbers."""
    return nw.SearchSpace(None, training={"a": nw.integer("a", 0, top), "b": nw.integer("b", 0, 9)})


def good(arch: nw.Architecture, *, fidelity: nw.Fidelity, seed: int) -> dict[str, float]:
    """Best at a = 9, b = 9."""
    return {"accuracy": (int(arch["a"]) + int(arch["b"])) / 18}


def other(arch: nw.Architecture, *, fidelity: nw.Fidelity, seed: int) -> dict[str, float]:
    """Best at a = 0."""
    return {"accuracy": 1 - int(arch["a"]) / 18}


def history(run: Path) -> list[str]:
    with Store.open(run / "study.db", read_only=True) as store:
        return list(store.history())


def begin(run: Path, budget: str = "12 trials", **options: object) -> nw.Result:
    return nw.search(space=make_space(), evaluator=good, budget=budget, out=run, isolated=False, **options)


def test_a_finished_search_is_not_searched_again(tmp_path: Path) -> None:
    """Resuming a finished search changes nothing and gives the same best."""
    first = begin(tmp_path / "run")
    before = history(tmp_path / "run")
    again = nw.resume(tmp_path / "run", space=make_space(), evaluator=good)
    assert before == history(tmp_path / "run")
    assert (first.best.id, "it was finished before") == (again.best.id, again.stopped)


def test_a_larger_budget_goes_on_with_the_same_search(tmp_path: Path) -> None:
    """12 trials and then 30 in all are the history of 30 at once."""
    begin(tmp_path / "run")
    nw.resume(tmp_path / "run", budget="30 trials", space=make_space(), evaluator=good)
    begin(tmp_path / "whole", "30 trials")
    assert history(tmp_path / "whole") == history(tmp_path / "run")


def test_the_larger_budget_is_remembered(tmp_path: Path) -> None:
    """After a resume with a larger budget a plain resume has nothing to do."""
    begin(tmp_path / "run")
    nw.resume(tmp_path / "run", budget="30 trials", space=make_space(), evaluator=good)
    again = nw.resume(tmp_path / "run", space=make_space(), evaluator=good)
    assert (30, "it was finished before") == (len(history(tmp_path / "run")), again.stopped)


def test_a_budget_that_is_spent_already_is_told(tmp_path: Path) -> None:
    """A resume with less than was spent searches nothing, and says so."""
    begin(tmp_path / "run")
    said: list[str] = []
    nw.resume(
        tmp_path / "run",
        budget="5 trials",
        listener=lambda status: said.append(status.message),
        space=make_space(),
        evaluator=good,
    )
    expected = "warning: the budget of 5 trials is no more than what was spent already (12 trials); nothing is searched"
    assert any(text.startswith(expected) for text in said)
    assert len(history(tmp_path / "run")) == 12


def test_the_time_of_a_search_is_noted_when_all_is_done(tmp_path: Path) -> None:
    """The last thing that is stored before the end is the time, and the last thing that is told, too."""
    said: list[str] = []
    begin(tmp_path / "run", listener=lambda status: said.append(status.message))
    with Store.open(tmp_path / "run" / "study.db", read_only=True) as store:
        assert ["spent_s", "done"] == [event.kind for event in store.events()][-2:]
    assert said[-1].startswith("done in ")


def test_another_space_is_refused(tmp_path: Path) -> None:
    """A changed domain is refused, and named."""
    begin(tmp_path / "run")
    with pytest.raises(StudyMismatchError, match="search space"):
        nw.resume(tmp_path / "run", budget="30 trials", space=make_space(8), evaluator=good)
    assert len(history(tmp_path / "run")) == 12


def test_another_evaluator_is_refused(tmp_path: Path) -> None:
    """Changed code of the evaluator is refused, and named."""
    begin(tmp_path / "run")
    with pytest.raises(StudyMismatchError, match="code"):
        nw.resume(tmp_path / "run", budget="30 trials", space=make_space(), evaluator=other)


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [("strategy", '"auto"', '"random"'), ("workers", "1", "2"), ("unordered", "false", "true")],
)
def test_an_edited_option_is_refused(tmp_path: Path, name: str, before: str, now: str) -> None:
    """A search goes on as it began: what was changed in its file is named, with both values."""
    begin(tmp_path / "run")
    path = tmp_path / "run" / "spec.yaml"
    text = path.read_text()
    assert f'"{name}": {before}' in text
    path.write_text(text.replace(f'"{name}": {before}', f'"{name}": {now}'))
    with pytest.raises(
        StudyMismatchError, match=rf"^{name} was .* when this search began, and is .* now; a search goes"
    ):
        nw.resume(tmp_path / "run", budget="30 trials", space=make_space(), evaluator=good)
    assert len(history(tmp_path / "run")) == 12
    path.write_text(text)
    assert nw.resume(tmp_path / "run", budget="13 trials", space=make_space(), evaluator=good).num_trials == 13


def test_an_option_given_to_resume_must_be_that_of_the_start(tmp_path: Path) -> None:
    """A strategy given as an object at the start is asked for; another name is refused."""
    begin(tmp_path / "run", strategy=nw.strategies.RandomSearch(make_space()))
    objects = {"space": make_space(), "evaluator": good}
    with pytest.raises(StudyMismatchError, match=r"strategy was given as an object when .*: give the strategy again"):
        nw.resume(tmp_path / "run", budget="13 trials", **objects)
    objects["strategy"] = nw.strategies.RandomSearch(make_space())
    assert nw.resume(tmp_path / "run", budget="13 trials", **objects).num_trials == 13


def test_a_larger_budget_may_be_written_into_the_file(tmp_path: Path) -> None:
    """The budget is the one thing that may be edited."""
    begin(tmp_path / "run")
    path = tmp_path / "run" / "spec.yaml"
    path.write_text(path.read_text().replace("12 trials", "15 trials"))
    assert nw.resume(tmp_path / "run", space=make_space(), evaluator=good).num_trials == 15


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b"# a search"])
def test_a_lost_or_torn_file_is_written_again_from_the_store(tmp_path: Path, content: bytes | None) -> None:
    """The store knows the specification and the last budget; one warning says what was wrong with the file."""
    begin(tmp_path / "run")
    nw.resume(tmp_path / "run", budget="20 trials", space=make_space(), evaluator=good)
    path = tmp_path / "run" / "spec.yaml"
    text = path.read_text()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    said: list[str] = []
    again = nw.resume(
        tmp_path / "run", space=make_space(), evaluator=good, listener=lambda status: said.append(status.message)
    )
    assert (20, "it was finished before") == (again.num_trials, again.stopped)
    assert 1 == sum(message.startswith(f"warning: {path}: ") for message in said)
    assert text == path.read_text()


def task_run(run: Path, budget: str, **options: object) -> tuple[Settings, Parts]:
    """A run on a task of which nothing but the start is stored."""
    pytest.importorskip("sklearn")
    given = {"task": "image-classification", "data": "digits", "budget": budget, "out": run, **options}
    settings, parts = prepare(None, given, Clock())
    Store.create(run / "study.db", record_of(settings, parts)).close()
    write_specification(run, settings.text)
    return settings, parts


def again(run: Path, budget: str | None = None) -> tuple[Settings, Parts]:
    """What a resume of it would do."""
    with Store.open(run / "study.db", read_only=True) as store:
        return prepare_again(run, read_recorded(run, store), budget, {}, Clock())


@pytest.mark.parametrize("budget", ["8 trials", "300 epochs", "3m", "60s"])
def test_a_resume_divides_the_budget_as_the_start_did(tmp_path: Path, budget: str) -> None:
    """Rungs, finalists and the length of their training are those of the uninterrupted search."""
    settings, parts = task_run(tmp_path / "run", budget)
    settings_again, parts_again = again(tmp_path / "run")
    assert parts.plan == parts_again.plan
    assert type(parts.strategy) is type(parts_again.strategy)
    assert settings.text == settings_again.text


def test_a_search_from_before_the_ladder_goes_on_without_one(tmp_path: Path) -> None:
    """Its specification names none, in the store and in the file: the strategy is asked as it was then."""
    run = tmp_path / "run"
    options = {"task": "image-classification", "data": "digits", "budget": "8 trials", "out": run, "ladder": "none"}
    settings, parts = prepare(None, options, Clock())
    record = replace(record_of(settings, parts), spec=json.dumps(settings.text.replace("ladder: none\n", "")))
    Store.create(run / "study.db", record).close()
    write_specification(run, settings.text.replace("ladder: none\n", ""))
    _, parts_again = again(run)
    assert parts_again.ladder is None
    assert type(parts.strategy) is type(parts_again.strategy)


def test_a_larger_budget_keeps_the_rungs(tmp_path: Path) -> None:
    """The strategy is asked and told as at the start; only the end of the search is that of the larger budget."""
    _, parts = task_run(tmp_path / "run", "60s")
    settings_again, parts_again = again(tmp_path / "run", "10h")
    assert parts.plan is not None
    assert parts_again.plan is not None
    assert (parts.plan.min_epochs, parts.plan.max_epochs) == (parts_again.plan.min_epochs, parts_again.plan.max_epochs)
    assert (True, False) == (parts.plan.equal_time, parts_again.plan.equal_time)
    assert isinstance(parts.strategy, EqualTime)
    assert isinstance(parts_again.strategy, EqualTime)
    assert settings_again.budget.time_s == 36_000


@pytest.mark.parametrize(
    ("key", "before", "now"),
    [
        ("eta", "3", "4"),
        ("ladder", "default", "full"),
        ("halving", "true", "false"),
        ("min_epochs", "null", "0.25"),
        ("strategy", "auto", "random"),
        ("workers", "1", "2"),
        ("latency_threads", "1", "2"),
        ("trial_time_limit", "null", "5m"),
    ],
)
def test_an_edited_specification_is_refused(tmp_path: Path, key: str, before: str, now: str) -> None:
    """Each key that decides the search is compared with the store before any data is read."""
    task_run(tmp_path / "run", "8 trials")
    path = tmp_path / "run" / "spec.yaml"
    text = path.read_text()
    assert f"\n{key}: {before}\n" in text
    path.write_text(text.replace(f"\n{key}: {before}\n", f"\n{key}: {now}\n").replace("data: digits", "data: nowhere"))
    with pytest.raises(StudyMismatchError, match=rf"^{key} was .*: set {key} in .*spec.yaml back, or start"):
        nw.resume(tmp_path / "run")


def test_objects_are_asked_for(tmp_path: Path) -> None:
    """A search started with objects cannot be resumed without them; the message says which."""
    begin(tmp_path / "run")
    with pytest.raises(SpecError, match="give space and evaluator"):
        nw.resume(tmp_path / "run", budget="30 trials")


def test_a_folder_in_use_is_not_taken(tmp_path: Path) -> None:
    """Another search may not be started in the folder of one."""
    begin(tmp_path / "run")
    with pytest.raises(SpecError, match="holds a study"):
        begin(tmp_path / "run")
    assert len(history(tmp_path / "run")) == 12


PROGRAM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import netwright as nw
from test_resume import make_space
def slow(arch, *, fidelity, seed):
    time.sleep(0.2)
    return {{"accuracy": (int(arch["a"]) + int(arch["b"])) / 18}}
if __name__ == "__main__":
    options = dict(space=make_space(), evaluator=slow)
    try:
        if sys.argv[2] == "resume":
            nw.resume(sys.argv[1], **options)
        else:
            nw.search(**options, budget="14 trials", workers=2, out=sys.argv[1])
    except nw.Interrupted as stop:
        sys.exit(128 + stop.signal_number)
"""


@pytest.mark.parametrize(("signals", "code"), [("INT", 130), ("TERM", 143), ("HUP", 129), ("INT INT", 130)])
@pytest.mark.long
def test_a_signal_stops_a_search_that_goes_on_later(tmp_path: Path, signals: str, code: int) -> None:
    """Ctrl-C once drains, twice stops at once; SIGTERM and SIGHUP drain. No process is left, and a resume ends it."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(tests=str(Path(__file__).parent)))
    run = tmp_path / "run"
    with subprocess.Popen([sys.executable, program, run, "search"]) as process:
        end_s = time.monotonic() + 60
        while not (run / "study.db").exists() or not history_so_far(run):
            assert time.monotonic() < end_s, "the search did not begin"
            time.sleep(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
        for name in signals.split():
            process.send_signal(getattr(signal, f"SIG{name}"))
            time.sleep(0.05)
        assert process.wait(30) == code
    assert list(psutil.wait_procs(children, timeout=5)[1]) == []
    assert 0 < len(history(run)) < 14
    assert subprocess.run([sys.executable, program, run, "resume"], check=False).returncode == 0
    subprocess.run([sys.executable, program, tmp_path / "whole", "search"], check=True)
    assert history(tmp_path / "whole") == history(run)


@pytest.mark.parametrize("step", ["_touch", "_initialise", "_disconnect"])
def test_a_search_killed_as_it_begins_can_be_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever its store's making had come to, the folder counts as empty, and nothing is to be removed by hand."""
    place = Store if hasattr(Store, step) else sys.modules[Store.__module__]
    real = getattr(place, step)

    def killed(*args: object) -> None:
        real(*args)
        os._exit(9)

    monkeypatch.setattr(place, step, killed)
    pid = os.fork()
    if pid == 0:
        begin(tmp_path / "run")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    monkeypatch.undo()
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert "study.db" not in left
    assert ".study.db.new" in left
    begin(tmp_path / "run")
    assert {"log.txt", "spec.yaml", "study.db", "study.db.lock"} == {p.name for p in (tmp_path / "run").iterdir()}
    assert len(history(tmp_path / "run")) == 12


BARE = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import netwright as nw
from test_resume import make_space
def slow(arch, *, fidelity, seed):
    Path(sys.argv[1] + ".began").touch()
    time.sleep(0.5)
    return {{"accuracy": (int(arch["a"]) + int(arch["b"])) / 18}}
if __name__ == "__main__":
    options = dict(space=make_space(), evaluator=slow)
    if sys.argv[2] == "resume":
        nw.resume(sys.argv[1], **options)
    else:
        nw.search(**options, budget="5 trials", out=sys.argv[1], isolated=sys.argv[3] == "isolated")
"""


@pytest.mark.parametrize(("signals", "code", "how"), [("TERM", 143, "isolated"), ("INT INT", 130, "in process")])
@pytest.mark.long
def test_a_script_that_is_stopped_says_so_in_one_line(tmp_path: Path, signals: str, code: int, how: str) -> None:
    """Without a traceback, with the exit code a shell expects; and no trial has failed for it."""
    program, run = tmp_path / "program.py", tmp_path / "run"
    program.write_text(BARE.format(tests=str(Path(__file__).parent)))
    with subprocess.Popen([sys.executable, program, run, "search", how], stderr=subprocess.PIPE, text=True) as process:
        end_s = time.monotonic() + 60
        while not (tmp_path / "run.began").exists():  # a trial runs: between two the second signal may come too late
            assert time.monotonic() < end_s, "the search did not begin"
            time.sleep(0.05)
        for name in signals.split():
            process.send_signal(getattr(signal, f"SIG{name}"))
            time.sleep(0.05)
        error = process.communicate(timeout=30)[1]
    name = signals.split(maxsplit=1)[0]
    cure = f"go on with netwright.resume({str(run)!r}, ...)"
    assert (process.returncode, error) == (code, f"stopped by SIG{name}; what was finished is stored; {cure}\n")
    assert not any('"failed"' in line for line in history(run))
    assert subprocess.run([sys.executable, program, run, "resume"], check=False).returncode == 0
    assert len(history(run)) == 5


def history_so_far(run: Path) -> list[str]:
    """History of a store that is perhaps still being made."""
    try:
        return history(run)
    except nw.errors.StoreError:
        return []


@pytest.mark.long
def test_a_seed_gives_one_history_in_every_process(tmp_path: Path) -> None:
    """Three processes with other hash seeds, folders and locales give the same history (D 30)."""
    code = "import pathlib, sys; sys.path.insert(0, sys.argv[2]); import test_resume as t; "
    code += "t.begin(pathlib.Path(sys.argv[1]))"
    found = set()
    for number, locale in enumerate(("C", "C.UTF-8", "POSIX")):
        folder = tmp_path / str(number)
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": str(number + 1), "LC_ALL": locale}
        arguments = [sys.executable, "-c", code, str(folder / "run"), str(Path(__file__).parent)]
        subprocess.run(arguments, env=environment, cwd=folder, check=True)
        found.add("\n".join(history(folder / "run")))
    assert len(found) == 1
