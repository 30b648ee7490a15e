"""The log of a run: what is in it, and that other handlers get no more than they would."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from netwright.study.opening import log_file


def test_the_file_has_info_and_others_get_what_they_asked_for(tmp_path: Path) -> None:
    """A program that wants errors alone gets these, and all is as before afterwards."""
    root, own = logging.getLogger(), logging.getLogger("netwright")
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    level, handlers = root.level, list(root.handlers)
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR)
    before = own.level, own.propagate, list(own.handlers)
    try:
        with log_file(tmp_path / "log.txt"):
            logging.getLogger("netwright.study").debug("a detail")
            logging.getLogger("netwright.study").info("a phase")
            logging.getLogger("netwright.study").error("a fault")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    text = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "INFO netwright.study: a phase" in text
    assert "ERROR netwright.study: a fault" in text
    assert "a detail" not in text
    assert heard == ["a fault"]
    assert (own.level, own.propagate, own.handlers) == before


def test_a_warning_is_in_the_file_where_no_logging_is_set_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written once, and nowhere else."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with log_file(tmp_path / "log.txt"):
        logging.getLogger("netwright.execution").warning("something odd")
    assert (tmp_path / "log.txt").read_text(encoding="utf-8").count("something odd") == 1
    assert "something odd" not in capsys.readouterr().err
