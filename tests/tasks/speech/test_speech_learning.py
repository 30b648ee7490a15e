"""Speech recognition: CTC, decoding, augmentation, the space, and what model.py hears."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from speech_files import RATE, arrays, manifest, texts, tone, write_wav

import netwright as nw
from netwright import nn
from netwright.export.runtimes import speech
from netwright.space.terms import Term
from netwright.tasks.speech_recognition import SpeechRecognition
from netwright.tasks.speech_recognition.augmentation import SpeechAugmentation
from netwright.tasks.speech_recognition.ctc import FRAMES, beam, ctc_loss, frames_needed, greedy
from netwright.tasks.speech_recognition.features import (
    ZERO_CODE,
    FrontEnd,
    kernels_of,
    normalise,
    resample,
    resampled_length,
    to_codes,
)
from netwright.tasks.speech_recognition.spaces import speech_references, speech_space


def _collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    joined = [unit for unit, _ in itertools.groupby(path)]
    return tuple(unit for unit in joined if unit)


def test_the_beam_finds_what_all_alignments_together_make_most_probable() -> None:
    """On four frames of three units every alignment can be listed."""
    rng = np.random.default_rng(0)
    greedy_is_right = 0
    for _ in range(30):
        logits = rng.normal(0, 1, (4, 3))
        logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        total: dict[tuple[int, ...], float] = {}
        for path in itertools.product(range(3), repeat=4):
            value = math.exp(sum(logs[t, u] for t, u in enumerate(path)))
            total[_collapse(path)] = total.get(_collapse(path), 0.0) + value
        best = max(total, key=total.__getitem__)
        assert tuple(beam(logs, width=50)) == best
        greedy_is_right += tuple(greedy(torch.tensor(logs)[None], torch.tensor([4]), 1)[0]) == best
    assert greedy_is_right < 30


def test_the_exported_beam_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is copied into model.py decodes as the task does."""
    monkeypatch.setattr(speech, "BEAM", 8)
    rng = np.random.default_rng(1)
    for _ in range(5):
        logs = np.log(rng.dirichlet(np.ones(6) / 2, 20))
        assert speech.beam(logs.tolist()) == beam(logs, 8)


def test_the_exported_beam_looks_at_as_many_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the blank is among the least probable, and where several units are equally probable, too."""
    monkeypatch.setattr(speech, "BEAM", 2)
    rng = np.random.default_rng(0)
    for _ in range(200):
        logs = np.log(np.concatenate([np.full((5, 1), 1e-4), rng.integers(1, 4, (5, 5)) / 10], 1))
        assert speech.beam(logs.tolist()) == beam(logs, 2)


def test_words_are_apart_where_a_long_recording_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut in pauses, where a network that was trained on whole sentences writes no space."""
    for name, value in {"INPUT_SHAPE": (2, 20), "STRIDE": 1, "UNITS": ("", "a", "▁"), "BEAM": 1}.items():
        monkeypatch.setattr(speech, name, value)
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 45)).astype(np.uint8))
    said = torch.tensor([[0.0, 9, 0], *[[9.0, 0, 0]] * 19])
    parts = speech.cut(codes)
    assert len(parts) >= 3
    assert speech.transcribe(lambda x: said.expand(len(x), -1, -1), codes) == " ".join("a" * len(parts))


class _Said(torch.nn.Module):
    """Stands for a network: the same logits for every recording, which the two decoders read in two ways."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.frame = torch.nn.Parameter(torch.full(shape, -9.0))
        with torch.no_grad():
            self.frame[:2, 0] = math.log(0.4)
            self.frame[:2, 1], self.frame[:2, 2] = math.log(0.35), math.log(0.25)
            self.frame[2:, 0] = 9.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.frame.expand(len(x), *self.frame.shape)


def test_networks_are_compared_greedily_and_the_best_is_measured_by_its_beam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wide beam costs the search nothing; at the end it reads the test part as it was read before."""
    plain, wide = (SpeechRecognition.load(manifest(tmp_path / f"{n}"), beam=beam) for n, beam in enumerate((1, 8)))
    network = _Said(wide.output_shape)
    x, rows = wide.validation()
    answers = [(network(torch.from_numpy(x)).detach(), torch.from_numpy(rows))]
    assert wide.scores(answers) == plain.scores(answers)
    assert plain.final_scores(network, "test") == {}
    assert wide.transcribe(answers[0][0][:1], torch.tensor([40]), 8) == ["a"]
    assert wide.transcribe(answers[0][0][:1], torch.tensor([40])) == [""]
    wide.test()
    monkeypatch.setattr(wide, "_test", pytest.fail)
    found = wide.final_scores(network, "test")
    assert set(found) == {"beam_wer", "beam_cer"}
    assert found["beam_cer"] < 1 == wide.scores(answers)["cer"]
    assert wide.test_reads == 1
    assert plain.final_examples == 0
    assert wide.final_examples > 5


def test_the_lowest_rung_makes_three_hundred_steps(tmp_path: Path) -> None:
    """Or all that a full training makes."""
    task = SpeechRecognition.load(arrays(tmp_path / "a.npz"))
    steps = len(task.train()[1]) // int(str(task.recipe()["batch_size"]))
    assert task.least_epochs * steps == pytest.approx(300, rel=0.01)


def test_padding_does_not_count_in_the_loss() -> None:
    """What stands behind the frames of a recording changes nothing, and what stands before does."""
    rows = torch.tensor([[10, 2, 1, 2], [16, 1, 2, -1]])
    outputs = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(0))
    before = ctc_loss(outputs, rows, stride=2)
    outputs[0, 5:] += 5 * torch.randn(3, 3)
    assert torch.equal(ctc_loss(outputs, rows, stride=2), before)
    outputs[0, 4, 1] += 5
    assert not torch.equal(ctc_loss(outputs, rows, stride=2), before)


def test_the_loss_is_the_likelihood_of_all_alignments() -> None:
    """Two frames, one unit: three alignments."""
    outputs = torch.log(torch.tensor([[[0.6, 0.4], [0.3, 0.7]]]))
    wanted = -math.log(0.6 * 0.7 + 0.4 * 0.3 + 0.4 * 0.7)
    assert float(ctc_loss(outputs, torch.tensor([[2, 1, 1]]), 1)) == pytest.approx(wanted)


def test_a_recording_that_is_too_short_for_its_transcript_has_no_gradient() -> None:
    """Augmentation may make one so short."""
    outputs = torch.randn(1, 4, 3, requires_grad=True)
    assert frames_needed([1, 1, 1]) == 5
    ctc_loss(outputs, torch.tensor([[4, 3, 1, 1, 1]]), 1).backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert (outputs.grad == 0).all()


def test_model_py_hears_what_training_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames made with torch are those made with numpy, also at another rate and in stereo."""
    for rate in (8000, 16000, 22050, 44100, 6000, 7993):
        sound = tone("ab c", np.random.default_rng(0), rate)
        write_wav(tmp_path / "x.wav", sound, rate, channels=2)
        front = FrontEnd(RATE)
        wanted = to_codes(normalise(front.frames(sound / np.float32(32768), rate))).T
        for name in ("window", "hop", "fft", "rate"):
            monkeypatch.setattr(speech, name.upper(), getattr(front, name))
        found = speech.read_frames(tmp_path / "x.wav").numpy()
        assert found.shape == wanted.shape
        assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1


@pytest.mark.parametrize(("suffix", "kind"), [("flac", "PCM_16"), ("wav", "FLOAT")])
def test_model_py_reads_what_the_wave_module_does_not(suffix: str, kind: str, tmp_path: Path) -> None:
    """Flac, and wav of floating-point numbers, of two channels, as the samples they were written from."""
    soundfile = pytest.importorskip("soundfile")
    sound = tone("ab c", np.random.default_rng(0), RATE) / np.float32(32768)
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, np.stack([sound, sound], axis=1), RATE, subtype=kind)
    samples, rate = speech.read_sound(path)
    assert rate == RATE
    assert np.abs(samples.numpy() - sound).max() <= 2**-15
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match=f"x.{suffix}: no sound file, or a damaged one"):
        speech.read_sound(path)


def test_resampling_keeps_a_tone_and_removes_what_is_too_high() -> None:
    """A tone of 1 kHz stays, one of 6 kHz does not come back as another."""
    time = np.arange(16000) / 16000
    low, high = (np.sin(2 * np.pi * f * time).astype(np.float32) for f in (1000, 6000))
    wanted = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    assert np.abs(resample(low, 16000, 8000)[100:-100] - wanted[100:-100]).max() < 0.02
    assert np.abs(resample(high, 16000, 8000)[100:-100]).max() < 0.02


@pytest.mark.parametrize(("rate", "to"), [(15_999, 16_000), (44_101, 8000), (16_000, 11_127)])
def test_rates_without_a_common_factor_take_no_more_memory(rate: int, to: int) -> None:
    """Of the thousands of phases each sees the samples around it only, and a tone stays."""
    kernels, starts, step = kernels_of(rate, to)
    assert (kernels.shape[0], len(starts), step) == (to, to, rate)
    assert kernels.shape[1] <= 2 + 2 * math.ceil(6 / 0.95 * max(1, rate / to))
    sound, wanted = (np.sin(2 * np.pi * 1000 * np.arange(r // 2) / r).astype(np.float32) for r in (rate, to))
    found = resample(sound, rate, to)
    assert len(found) == resampled_length(len(sound), rate, to)
    assert np.abs(found[100 : len(wanted) - 100] - wanted[100:-100]).max() < 0.02


def test_augmentation_keeps_length_and_padding_true(tmp_path: Path) -> None:
    """The frames that targets tell are those that are not padded; the same generator gives the same batch."""
    task = SpeechRecognition.load(manifest(tmp_path))
    x, rows = (torch.from_numpy(a) for a in task.train())
    change = SpeechAugmentation(band_masks=0, time_masks=0, noise=0)
    y, changed = change.apply(x, rows, np.random.default_rng(0))
    again, _ = change.apply(x, rows, np.random.default_rng(0))
    assert torch.equal(y, again)
    assert y.shape == x.shape
    assert not torch.equal(changed[:, FRAMES], rows[:, FRAMES])
    assert torch.equal(changed[:, 1:], rows[:, 1:])
    for one, frames in zip(y, changed[:, FRAMES].tolist(), strict=True):
        assert (one[:, frames:] == ZERO_CODE).all()
        assert (one[:, :frames] != ZERO_CODE).any(0).all()
    same, kept = SpeechAugmentation(0, 0, 0, 0, 0, 0, 0, 0).apply(x, rows, np.random.default_rng(0))
    assert torch.equal(same, x.float())
    assert torch.equal(kept, rows)


def test_blocks_of_bands_and_of_frames_are_masked(tmp_path: Path) -> None:
    """Whole ones, as wide as they may be at most, each recording by itself, and nothing else is changed."""
    task = SpeechRecognition.load(manifest(tmp_path))
    rows = torch.from_numpy(task.train()[1]).repeat(8, 1)
    x = torch.full((len(rows), *task.input_shape), 200.0)
    for one, frames in zip(x, rows[:, FRAMES].tolist(), strict=True):
        one[:, frames:] = ZERO_CODE
    change = SpeechAugmentation(0, 0, 0, 0, band_masks=1, band_share=0.2, time_masks=1, time_frames=7)
    y, kept = change.apply(x, rows, np.random.default_rng(0))
    assert torch.equal(kept, rows)
    widths, lengths, bands = [], [], task.input_shape[0]
    for one, frames in zip(y, rows[:, FRAMES].tolist(), strict=True):
        masked = one[:, :frames] == ZERO_CODE
        whole_bands, whole_frames = masked.all(1), masked.all(0)
        assert torch.equal(masked, whole_bands[:, None] | whole_frames[None, :])
        assert torch.equal(one[:, :frames][~masked], torch.full((int((~masked).sum()),), 200.0))
        for block in (whole_bands, whole_frames):
            assert int((block.int().diff() != 0).sum()) <= 2  # in one piece
        widths.append(int(whole_bands.sum()))
        lengths.append(int(whole_frames.sum()))
        assert lengths[-1] <= min(7, frames / 10) + 1e-9
    assert max(widths) == int(0.2 * bands)
    assert len(set(widths)) > 3
    assert len(set(lengths)) > 2


def test_noise_is_heard_as_if_it_had_been_recorded(tmp_path: Path) -> None:
    """Bands keep mean 0 and recordings their spread, quiet frames are raised, and what follows a recording is left."""
    task = SpeechRecognition.load(manifest(tmp_path))
    rows = torch.from_numpy(task.train()[1])
    x = torch.full((len(rows), *task.input_shape), float(ZERO_CODE))
    draw = np.random.default_rng(0)
    for one, frames in zip(x, rows[:, FRAMES].tolist(), strict=True):
        spoken = 7.0 * draw.integers(0, 2, (frames, 1)) + draw.normal(0, 1, (frames, len(one)))
        one[:, :frames] = torch.from_numpy(to_codes(normalise(spoken.astype(np.float32))).T.astype(np.float32))
    change = SpeechAugmentation(speed=0, warp=0, bend=0, noise=1, band_masks=0, time_masks=0)
    y, kept = change.apply(x, rows, np.random.default_rng(0))
    assert torch.equal(kept, rows)
    for was, now, frames in zip(x - ZERO_CODE, y - ZERO_CODE, rows[:, FRAMES].tolist(), strict=True):
        assert (now[:, frames:] == 0).all()
        assert now[:, :frames].mean(1).abs().max() < 1.0
        assert now[:, :frames].std() == pytest.approx(32.0, rel=0.03)
        quiet = was[:, :frames] < 0
        before, after = (part[:, :frames][quiet].std() / part[:, :frames][~quiet].std() for part in (was, now))
        assert after < 0.95 * before  # noise covers what differs where it is quiet
    some, _ = SpeechAugmentation(0, 0, 0, 0.5, 0, 0, 0, 0).apply(x, rows, np.random.default_rng(1))
    changed = (some != x).flatten(1).any(1)
    assert changed.any()
    assert not changed.all()


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_every_network_of_the_space_gives_logits_for_each_frame(stride: int) -> None:
    """Those drawn at random, and the references, at each stride."""
    space = speech_space((12, 32), stride, 5)
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(4)] + [r.architecture for r in speech_references(space)]
    for arch in drawn:
        model = nn.build(space.resolve(arch), input_shape=(12, 32), seed=0)
        assert tuple(model(torch.randn(2, 12, 32)).shape) == (2, 32 // stride, 5)


@pytest.mark.long
def test_networks_share_weights_and_are_counted() -> None:
    """A subnet says what the network taken out says, and has the parameters that are counted."""
    from netwright.nn import profile

    space = speech_space((12, 16), 4, 5)
    supernet = space.supernet(input_shape=(12, 16))
    x = torch.randn(2, 12, 16)
    for reference in speech_references(space):
        arch = reference.architecture
        alone, subnet = supernet.extract(arch), supernet.subnet(arch)
        alone.eval()
        subnet.model.eval()
        assert torch.equal(alone(x), subnet(x))
        params = sum(p.numel() for p in alone.parameters())
        assert params == profile(space.resolve(arch), input_shape=(12, 16)).params


def test_recurrent_layers_are_traced_for_any_batch(tmp_path: Path) -> None:
    """ONNX made of a batch of four, by the fast exporter, runs on one and gives the same."""
    runtime = pytest.importorskip("onnxruntime")
    model = nn.build(_recurrent(), input_shape=(6, 5), seed=0).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"input": {0: "batch"}, "output": {0: "batch"}}
        names = {"input_names": ["input"], "output_names": ["output"]}
        torch.onnx.export(model, (torch.randn(4, 6, 5),), tmp_path / "m.onnx", dynamo=False, dynamic_axes=axes, **names)
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 4, 7):
        x = torch.randn(batch, 6, 5)
        (found,) = session.run(None, {"input": x.numpy()})
        assert np.abs(found - model(x).detach().numpy()).max() < 1e-5


def _recurrent() -> Term:
    space = nw.SearchSpace(nn.seq(nn.gru(4, layers=2, bidirectional=True), nn.lstm(3)))
    return space.resolve(space.sample(np.random.default_rng(0)))


@pytest.mark.slow
def test_a_search_ends_in_a_model_that_writes_down_what_it_hears(tmp_path: Path) -> None:
    """Tones are learned in a few epochs; model.py prints their text where netwright is not."""
    task = SpeechRecognition.load(arrays(tmp_path / "a.npz", 300))
    result = nw.search(task=task, budget="2 trials", max_epochs=12, out=tmp_path / "run")
    assert result.best.metrics["wer"] < 0.5
    text = texts(1, seed=9)[0]
    write_wav(tmp_path / "x.wav", tone(text, np.random.default_rng(5)))
    command = [sys.executable, "-I", str(tmp_path / "run" / "best" / "model.py"), str(tmp_path / "x.wav")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert len(run.stdout.strip()) >= 1
    assert set(run.stdout.strip()) <= set("abc ")
