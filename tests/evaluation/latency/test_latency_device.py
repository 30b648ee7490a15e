"""A device elsewhere, by a command: what it gets, what it may say, and how it may fail."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch import nn

from netwright.errors import MissingDependencyError, SpecError, TrialError
from netwright.evaluation.latency import LatencySpec, measure_latency, require_runtime
from netwright.evaluation.latency.device import ask_device, measure_on_device, require_program


def command(tmp_path: Path, body: str, arguments: str = "{onnx}", limit_s: float = 20.0, batch: int = 1) -> LatencySpec:
    """A device that is a Python program of these lines, without site packages so that it starts quickly."""
    script = tmp_path / "device.py"
    script.write_text(f"import json, os, sys, time\n{body}\n")
    words = f"'{sys.executable}' -IS '{script}' {arguments}"
    return LatencySpec(runtime="device", device_command=words, device_limit_s=limit_s, batch=batch, threads=2)


@pytest.mark.parametrize(
    ("printed", "latency_ms"),
    [
        ("print('warming up'); print(1.5)", 1.5),
        ("print('  2.5e-1  \\n\\n')", 0.25),
        ("print(json.dumps({'latency_ms': 3}))", 3.0),
        ("print('x'); print(json.dumps({'latency_ms': 3.5, 'device': 'a phone'}))", 3.5),
        ("sys.stdout.write('7.25')", 7.25),
    ],
)
def test_the_last_line_is_the_latency(tmp_path: Path, printed: str, latency_ms: float) -> None:
    """A number or an object with ``latency_ms``, whatever was said before it."""
    assert ask_device(tmp_path / "model.onnx", command(tmp_path, printed)).latency_ms == latency_ms


@pytest.mark.parametrize("name", ["null", '["a phone"]', "7"])
def test_a_name_that_is_no_text_is_none(tmp_path: Path, name: str) -> None:
    """The latency counts all the same, and nothing such as 'None' is told as the device."""
    body = f'print(\'{{"latency_ms": 2, "device": {name}}}\')'
    answer = ask_device(tmp_path / "model.onnx", command(tmp_path, body))
    assert (2.0, "") == (answer.latency_ms, answer.device)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("pass", r"printed nothing: its last line must be milliseconds, such as 1\.25"),
        ("print('fast')", "printed 'fast': its last line must be milliseconds"),
        ("print('1.5 apples')", "printed '1.5 apples'"),
        ("print('nan')", "printed a latency of nan ms: it must be > 0 and finite"),
        ("print('inf')", "printed a latency of inf ms"),
        ("print(1e999)", "printed a latency of inf ms"),
        ("print(-2)", "printed a latency of -2 ms"),
        ("print(0)", "printed a latency of 0 ms"),
        ("print('{\"latency_ms\": NaN}')", "printed a latency of nan ms"),
        ("print('{\"latency_ms\": ' + '9' * 400 + '}')", "printed a latency of inf ms"),
        ("print('{\"latency_ms\": true}')", "printed .*its last line must be"),
        ("print('{\"latency_ms\": [1]}')", "printed .*its last line must be"),
        ("print('{\"latency\": 1}')", "printed .*its last line must be"),
        ("print('{broken')", "printed '{broken'"),
        ("print('{' * 100000)", "printed .*its last line must be"),
        ("sys.stdout.buffer.write(bytes(range(128, 256)))", "printed .*its last line must be"),
        ("print(1.5); sys.exit(3)", "failed with exit code 3$"),
        ("sys.stderr.write('a\\nno phone\\n'); sys.exit(1)", "failed with exit code 1; it said: no phone"),
        ("os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("while True: print('x' * 10000)", "prints without end and was killed"),
    ],
)
def test_anything_else_is_an_error(tmp_path: Path, body: str, message: str) -> None:
    """Nonsense, NaN, infinity, nothing, zero, negative numbers, a failure and a flood are never a latency."""
    with pytest.raises(TrialError, match=f"(?s)device command .* {message}"):
        ask_device(tmp_path / "model.onnx", command(tmp_path, body))


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """After the time limit nothing of its process group is left."""
    mark = tmp_path / "child"
    body = (
        "import subprocess\n"
        f"child = subprocess.Popen(['sleep', '60']); open({str(mark)!r}, 'w').write(str(child.pid)); time.sleep(60)"
    )
    began_s = time.monotonic()
    with pytest.raises(TrialError, match="did not end within 1 s and was killed; make it faster, or raise the limit"):
        ask_device(tmp_path / "model.onnx", command(tmp_path, body, limit_s=1.0))
    assert time.monotonic() - began_s < 10
    if mark.exists():
        state = subprocess.run(["ps", "-o", "stat=", "-p", mark.read_text()], capture_output=True, text=True).stdout
        assert state.strip()[:1] in ("", "Z")


def test_what_a_command_leaves_behind_is_killed(tmp_path: Path) -> None:
    """A child that outlives the command, and holds its output open, neither delays nor survives."""
    mark = tmp_path / "child"
    body = (
        "import subprocess\n"
        f"child = subprocess.Popen(['sleep', '60']); open({str(mark)!r}, 'w').write(str(child.pid)); print(1.0)"
    )
    began_s = time.monotonic()
    assert ask_device(tmp_path / "model.onnx", command(tmp_path, body)).latency_ms == 1.0
    assert time.monotonic() - began_s < 10
    state = subprocess.run(["ps", "-o", "stat=", "-p", mark.read_text()], capture_output=True, text=True).stdout
    assert state.strip()[:1] in ("", "Z")


def test_the_command_is_told_batch_threads_and_file(tmp_path: Path) -> None:
    """The path is the last argument or stands where it is wanted; no shell sees the words."""
    body = (
        "json.dump([sys.argv[1:], {k: v for k, v in os.environ.items() if 'NETWRIGHT_' in k}], open(sys.argv[1], 'w'))"
    )
    out, file = tmp_path / "said.json", tmp_path / "my model.onnx"
    spec = command(tmp_path, body + "\nprint(1)", f"{out} '$(rm x);' --model={{onnx}}", batch=4)
    ask_device(file, spec)
    given = {"NETWRIGHT_BATCH": "4", "NETWRIGHT_THREADS": "2", "NETWRIGHT_PRECISION": "float32"}
    assert out.read_text() == str([[str(out), "$(rm x);", f"--model={file}"], given]).replace("'", '"')
    ask_device(file, command(tmp_path, body + "\nprint(1)", str(out), batch=4))
    assert out.read_text() == str([[str(out), str(file)], given]).replace("'", '"')


def test_a_noisy_device_is_noticed(tmp_path: Path) -> None:
    """Calls that differ by more than 5 % are repeated, and the result is noisy; steady ones are not."""
    count = tmp_path / "count"
    body = f"open({str(count)!r}, 'a').write('x'); n = len(open({str(count)!r}).read())\n"
    steady, name = measure_on_device(
        b"", command(tmp_path, body + "print(json.dumps({'latency_ms': 10, 'device': 'A\\x1b'}))")
    )
    assert (steady.median_ms, steady.interval_ms, steady.repeats, steady.noise) == (10.0, (10.0, 10.0), 3, "")
    assert name == "A\\x1b"
    count.unlink()
    noisy, name = measure_on_device(b"", command(tmp_path, body + "print(10 + n)"))
    assert (noisy.median_ms, noisy.repeats) == (13.5, 6)
    assert noisy.noise == "6 calls of the device differ by 37%"
    assert name == sys.executable


def test_a_device_that_settles_is_still_told_as_noisy(tmp_path: Path) -> None:
    """One call out of line makes the device noisy, and the median does not follow it."""
    count = tmp_path / "count"
    body = f"open({str(count)!r}, 'a').write('x'); n = len(open({str(count)!r}).read())\nprint(50 if n == 1 else 10)"
    found, _ = measure_on_device(b"", command(tmp_path, body))
    assert found.median_ms == 10.0
    assert found.noise


def test_a_program_that_is_not_there_is_found_before(tmp_path: Path) -> None:
    """A missing program, and a file that may not be run, are refused by name."""
    with pytest.raises(SpecError, match="there is no program 'no-such-bench' that can be run; give its path"):
        require_program("no-such-bench {onnx}")
    plain = tmp_path / "plain.sh"
    plain.write_text("echo 1")
    with pytest.raises(SpecError, match="that can be run"):
        require_program(str(plain))


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    """A file that is executable and no program raises an error of ours."""
    bad = tmp_path / "bad"
    bad.write_bytes(b"\x7fELF nonsense")
    bad.chmod(0o700)
    with pytest.raises(TrialError, match="cannot be run: "):
        ask_device(tmp_path / "x", LatencySpec(runtime="device", device_command=str(bad)))


def test_a_network_is_measured_on_a_device(tmp_path: Path) -> None:
    """The command gets a file that is an ONNX model of the network, for the batch; nothing is left of it."""
    onnx = pytest.importorskip("onnx")
    kept = tmp_path / "kept"
    body = f"open({str(kept)!r}, 'wb').write(open(sys.argv[1], 'rb').read()); print(2.5)"
    found = measure_latency(nn.Linear(3, 2), (3,), command(tmp_path, body, batch=5))
    assert (found.median_ms, found.noisy) == (2.5, False)
    shape = onnx.load(kept).graph.input[0].type.tensor_type.shape
    assert [size.dim_value for size in shape.dim] == [5, 3]
    assert Path(sys.executable).name in str(found)


def test_a_device_needs_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that writes the file, the extra is named."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"latency in device needs the package 'onnx'.*netwright\[onnx\]"):
        require_runtime(LatencySpec(runtime="device", device_command="x"))
