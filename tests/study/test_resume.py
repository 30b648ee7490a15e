"""Going on with a search: larger budgets, changed spaces and code, signals (catalogue D 30 to 32, A 7)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import netwright as nw
from netwright.errors import SpecError, StudyMismatchError
from netwright.storage import Store


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


def history_so_far(run: Path) -> list[str]:
    """History of a store that is perhaps still being made."""
    try:
        return history(run)
    except nw.errors.StoreError:
        return []


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
