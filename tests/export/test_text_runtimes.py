"""What ``model.py`` of texts prints, where the reader of its output goes away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

import netwright as nw
from netwright import nn
from netwright.export import model_source
from netwright.nn.building import learned_state
from netwright.tasks.base import Task
from netwright.tasks.language_model import LanguageModelling
from netwright.tasks.text_classification import TextClassification
from netwright.tasks.translation import Translation

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

SENTENCES = [f"the {a} {b}" for a in ("dog", "cat", "man", "child", "tree") for b in ("runs", "sits", "eats", "falls")]


def _texts() -> tuple[Task, nw.SearchSpace, list[str]]:
    rows = [(text, "odd" if number % 2 else "even") for number, text in enumerate(SENTENCES)]
    task = TextClassification.from_texts(dict.fromkeys(("train", "validation", "test"), rows), vocabulary=270)
    space = nn.seq(nn.embedding(len(task.subwords), 4), nn.global_pool(), nn.linear(2))
    return task, nw.SearchSpace(space), ["texts.txt"]


def _language() -> tuple[Task, nw.SearchSpace, list[str]]:
    texts = dict.fromkeys(("train", "validation", "test"), "\n".join(SENTENCES))
    task = LanguageModelling.from_texts(texts, context=8)
    space = nn.seq(nn.embedding(len(task.vocabulary), 4), nn.linear(len(task.vocabulary)))
    return task, nw.SearchSpace(space), ["texts.txt"]


def _translation() -> tuple[Task, nw.SearchSpace, list[str]]:
    pairs = [(text, text.upper()) for text in SENTENCES]
    task = Translation.from_pairs(dict.fromkeys(("train", "validation", "test"), pairs), vocabulary=270)
    space = nn.encoder_decoder(
        nn.encoder_layer(8),
        nn.decoder_layer(8),
        source_length=task.source_length,
        source_tokens=len(task.source),
        target_tokens=len(task.target),
        source_features=8,
        target_features=8,
    )
    return task, nw.SearchSpace(space), ["texts.txt"]


@pytest.mark.long
@pytest.mark.parametrize("make", [_texts, _language, _translation])
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, make: object) -> None:
    """As with any program in a pipe: nothing is said, and the exit code is 0; a reader that stays has UTF-8."""
    task, space, arguments = make()  # type: ignore[operator]
    term = task.network(space, space.sample(np.random.default_rng(0)))
    (tmp_path / "model.py").write_text(model_source(term, task.export_info()), encoding="utf-8")
    model = nn.build(term, input_shape=task.input_shape, input_dtype="int64")
    save_file(learned_state(model), tmp_path / "weights.safetensors")
    (tmp_path / "texts.txt").write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    command = [sys.executable, "model.py", *arguments]
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        gone = subprocess.run(command, cwd=tmp_path, stdout=theirs, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(theirs)
    assert (gone.returncode, gone.stderr) == (0, b"")
    stays = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C"})
    assert (stays.returncode, stays.stderr) == (0, b"")
    assert stays.stdout.decode("utf-8")
    assert b"\r" not in stays.stdout
