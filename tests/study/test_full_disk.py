"""A disk that is full stops a search cleanly, and is no fault of an architecture (catalogue A 5)."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

import netwright as nw
from netwright.errors import DiskFullError
from netwright.storage import Store
from netwright.study.opening import log_file
from netwright.types import Architecture, Fidelity, Metrics

SPACE = nw.SearchSpace(training={"x": nw.integer("x", 0, 999)})


@pytest.mark.long
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("isolated", [True, False])
def test_a_full_disk_is_a_pause_that_a_resume_ends(tmp_path: Path, isolated: bool, number: int) -> None:
    """The trial is not recorded as failed; once there is space the search goes on to the history without a fault."""
    room = tmp_path / "room"

    def writes(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        if seed % 3 == 0 and not room.exists():
            try:
                raise OSError(number, os.strerror(number), "weights.safetensors")
            except OSError as error:
                raise RuntimeError("the weights cannot be written") from error
        return {"accuracy": float(arch["x"]) / 1000}  # type: ignore[arg-type]

    def run(folder: str) -> nw.Result:
        return nw.search(
            out=tmp_path / folder,
            space=SPACE,
            evaluator=writes,
            budget="12 trials",
            strategy="random",
            isolated=isolated,
        )

    with pytest.raises(DiskFullError, match=r"the disk is full: trial \d+: .*netwright resume ") as caught:
        run("run")
    assert "\n" not in str(caught.value)
    with Store.open(tmp_path / "run" / "study.db", read_only=True) as store:
        assert {"finished"} >= {trial.state.value for trial in store.trials()}
    room.touch()
    nw.resume(tmp_path / "run", space=SPACE, evaluator=writes, strategy="random")
    run("whole")
    histories = []
    for folder in ("run", "whole"):
        with Store.open(tmp_path / folder / "study.db", read_only=True) as store:
            histories.append(list(store.history()))
    assert histories[0] == histories[1]
    assert len(histories[0]) == 12


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")  # noqa: PTH110
def test_a_log_on_a_full_disk_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be logged is left out, without a traceback on standard error."""
    (tmp_path / "log.txt").symlink_to("/dev/full")
    with log_file(tmp_path / "log.txt"):
        logging.getLogger("netwright").warning("lost")
    assert "Traceback" not in capsys.readouterr().err
