"""The specification of a search: what is accepted, what is refused and how, and that its three forms are equal."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import SpecError
from netwright.gradient_methods import DIFFERENTIABLE
from netwright.run_folders import require_free
from netwright.spec import SearchSpec, load_spec, schema_text
from netwright.strategies import strategy_names
from netwright.tasks import TASKS
from netwright.types import Budget, Constraint, Objective

BASE = {"task": "image-classification", "data": "digits", "out": "runs/x"}
SCHEMA = Path(__file__).parents[1] / "docs" / "spec.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def spec(**options: object) -> SearchSpec:
    return SearchSpec.from_options(**{**BASE, **options})


SEARCHES = sorted([*strategy_names(), *DIFFERENTIABLE])


def refused(**options: object) -> str:
    with pytest.raises(SpecError) as caught:
        spec(**options)
    return str(caught.value)


def test_defaults_are_the_documented_ones() -> None:
    """What is not said has the default of the documentation."""
    made = spec()
    assert (
        made.budget,
        made.constraints,
        made.objectives,
        made.workers,
        made.seed,
        made.space,
        made.strategy,
        made.device,
        made.ladder,
        made.halving,
        made.unordered,
    ) == ("10m", (), ("accuracy",), 1, 0, "default", "auto", "cpu", "default", True, False)


def test_values_are_parsed() -> None:
    """Budgets, constraints, objectives and limits come out as the values the search works with."""
    made = spec(
        budget="2h, 24 trials",
        constraints=["params<=200k", "latency_ms<=2"],
        objectives=["accuracy", "latency_ms:min"],
        trial_time_limit="5m",
        trial_memory_limit="2Gi",
    )
    assert made.spending == Budget(time_s=7200.0, trials=24)
    assert made.limits == (Constraint("params", "<=", 200_000.0), Constraint("latency_ms", "<=", 2.0))
    assert made.goals == (Objective("accuracy", "max"), Objective("latency_ms", "min"))
    assert made.trial_time_s == 300.0
    assert made.trial_memory_bytes == 2 << 30


def test_a_space_of_ones_own_is_split_into_file_and_name() -> None:
    """FILE.py:NAME is a file and a variable; a plain name is neither."""
    assert spec(space="my dir/a.py:space").space_file == (Path("my dir/a.py"), "space")
    assert spec().space_file is None


def test_a_single_text_is_a_list_of_one_and_a_path_is_text() -> None:
    """What people write in Python means the same as the long form."""
    assert spec(constraints="params<=1k", data=Path("a/b")) == spec(constraints=["params<=1k"], data="a/b")


def test_yaml_and_python_give_equal_specifications(tmp_path: Path) -> None:
    """The same search from a file, from keyword arguments, and from a file with options over it."""
    file = tmp_path / "spec.yaml"
    file.write_text("task: image-classification\ndata: digits\nout: runs/x\nworkers: 2\nconstraints: [params<=200k]\n")
    expected = spec(workers=2, constraints=["params<=200k"])
    assert load_spec(file) == expected
    assert load_spec(file, workers=3, seed=None) == spec(workers=3, constraints=["params<=200k"])


_TEXT = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=40)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    data=_TEXT,
    out=_TEXT,
    budget=st.sampled_from(["10m", "90s", "3 trials", "2h, 10 epochs"]),
    workers=st.integers(1, 1024),
    seed=st.integers(0, 2**32 - 1),
    min_epochs=st.none() | st.floats(1e-6, 1e6),
    constraints=st.lists(st.sampled_from(["params<=200k", "macs<=1M", "latency_ms<=2"]), unique=True),
    unordered=st.booleans(),
    limit=st.none() | st.sampled_from(["5m", "1h"]),
)
def test_yaml_round_trip_is_equal(
    tmp_path_factory: pytest.TempPathFactory, limit: str | None, **options: object
) -> None:
    """What `to_yaml` writes is read as an equal specification, whatever the texts are, and obeys the schema."""
    made = spec(trial_time_limit=limit, **options)
    file = tmp_path_factory.getbasetemp() / "round.yaml"
    file.write_bytes(made.to_yaml().encode("utf-8"))
    assert load_spec(file) == made
    assert VALIDATOR.is_valid(json.loads(made.model_dump_json()))


def test_the_published_schema_is_current() -> None:
    """docs/spec.schema.json is what the model says; `make schema` writes it."""
    assert schema_text() == SCHEMA.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "valid"),
    [
        (BASE, True),
        ({**BASE, "workers": 0}, False),
        ({**BASE, "workerz": 1}, False),
        ({"task": "image-classification"}, False),
        ({**BASE, "max_epochs": None, "eta": 2}, True),
        ({**BASE, "seed": "0"}, False),
    ],
)
def test_the_schema_accepts_what_the_model_accepts(values: dict[str, object], valid: bool) -> None:
    """Schema and model agree on right and wrong specifications."""
    assert VALIDATOR.is_valid(values) == valid
    try:
        SearchSpec.from_options(**values)
    except SpecError:
        assert not valid
    else:
        assert valid


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers must be a whole number in [1, 1024], got 0; use the number of cores"),
        ({"workers": -2}, "workers must be a whole number in [1, 1024], got -2; use the number of cores"),
        ({"workers": True}, "workers must be a whole number in [1, 1024], got True; use the number of cores"),
        ({"workers": "2"}, "workers must be a whole number in [1, 1024], got '2'; use the number of cores"),
        ({"seed": 1.5}, "seed must be a whole number in [0, 2**32), got 1.5; use 0"),
        ({"seed": "x"}, "seed must be a whole number in [0, 2**32), got 'x'; use 0"),
        (
            {"budget": "10"},
            "budget must be a time (90s, 10m, 2h), '24 trials' or '300 epochs', got '10'; name the unit",
        ),
        (
            {"budget": 10},
            "budget must be a time (90s, 10m, 2h), '24 trials' or '300 epochs', got 10; name the unit, such as 10m",
        ),
        ({"budget": "0m"}, "budget (time) must be finite and > 0, got 0.0"),
        ({"budget": "0 trials"}, "budget (trials) must be finite and > 0, got 0"),
        (
            {"constraints": ["param<=200k"]},
            (
                "unknown metric of a constraint 'param'; did you mean 'params'? "
                "known: depth, latency_ms, macs, memory_bytes, params"
            ),
        ),
        (
            {"constraints": ["params<200k"]},
            (
                "constraint must be written as metric<=number or metric>=number, such as params<=200k, "
                "got 'params<200k'; quote it, since a shell reads < as a file"
            ),
        ),
        (
            {"constraints": ["latency_ms>=2"]},
            "constraint must be an upper limit, since less is better, got 'latency_ms>=2'; write latency_ms<=2",
        ),
        (
            {"constraints": ["accuracy>=0.9"]},
            "constraint 'accuracy>=0.9': accuracy depends on how long a network is trained; make it an objective",
        ),
        ({"constraints": ["params<=0"]}, "constraint must be a limit > 0, got 'params<=0'"),
        (
            {"objectives": ["accuraci"]},
            (
                "unknown metric of an objective 'accuraci'; did you mean 'accuracy'? "
                "known: accuracy, balanced_accuracy, depth, int8_accuracy, latency_ms, macs, memory_bytes, params"
            ),
        ),
        (
            {"objectives": ["accuracy:min"]},
            "direction of the objective accuracy must be max, got 'min'; write accuracy",
        ),
        (
            {"objectives": ["accuracy", "accuracy"]},
            "objectives must be different metrics, got ['accuracy', 'accuracy']; name each once",
        ),
        ({"objectives": []}, "objectives must be at least one metric, got []; use accuracy"),
        (
            {"task": "image-clasification"},
            (
                f"task must be {', '.join(TASKS)}, or FILE.py:NAME, got 'image-clasification'; "
                "did you mean 'image-classification'?"
            ),
        ),
        ({"task": "singing"}, f"task must be {', '.join(TASKS)}, or FILE.py:NAME, got 'singing'"),
        (
            {"strategy": "randon"},
            f"unknown strategy 'randon'; did you mean 'random'? known: {', '.join(SEARCHES)}",
        ),
        ({"device": "gpu"}, "device must be cpu, cuda, cuda:0 or mps, got 'gpu'"),
        (
            {"space": "../x"},
            (
                "space must be the name of a shipped space (netwright spaces lists them) or FILE.py:NAME, got '../x'; "
                "use default"
            ),
        ),
        ({"space": "a.py:b c"}, "space must be FILE.py:NAME with the name of a variable, got 'a.py:b c'"),
        ({"eta": 1}, "eta must be a whole number in [2, 100], got 1; use 3"),
        ({"min_epochs": float("inf")}, "min_epochs must be a number in (0, 1000000], got inf; leave it out"),
        (
            {"min_epochs": 3.0, "max_epochs": 1.0},
            "max_epochs must be >= min_epochs (3), got 1.0; raise max_epochs or lower min_epochs",
        ),
        (
            {"trial_time_limit": "3 trials"},
            "trial_time_limit must be a time such as 90s, 5m or 1h, got '3 trials'; name the unit",
        ),
        (
            {"trial_memory_limit": "2"},
            "trial_memory_limit must be a size >= 1Mi such as 500M or 2Gi, got '2'; name the unit",
        ),
        (
            {"latency_runtime": "tensorrt"},
            (
                "unknown latency_runtime 'tensorrt'; "
                "known: device, executorch, onnxruntime, openvino, torch, torch.compile"
            ),
        ),
        (
            {"latency_runtime": "device"},
            "latency_device_command must be a program and its arguments, such as 'bench.sh {onnx}', got ''",
        ),
        (
            {"latency_runtime": "device", "latency_device_command": "a 'b"},
            (
                'latency_device_command must be a program and its arguments (No closing quotation), got "a \'b"; '
                "close the quote"
            ),
        ),
        (
            {"latency_device_command": "x"},
            "latency_device_command must be absent with latency_runtime torch, got 'x'; set latency_runtime to device",
        ),
        (
            {"latency_precision": "int8"},
            (
                "latency_precision must be float32 with latency_runtime torch, got 'int8'; "
                "set latency_runtime to one of onnxruntime, openvino, device"
            ),
        ),
        (
            {"objectives": ["accuracy", "int8_accuracy"]},
            (
                "latency_precision must be int8 with the objective int8_accuracy, got 'float32'; set latency_precision "
                "to int8, and latency_runtime to one of onnxruntime, openvino, device"
            ),
        ),
        ({"latency_precision": "fp16"}, "unknown latency_precision 'fp16'; known: float32, int8"),
        (
            {"ladder": "shrot"},
            (
                "unknown rung of the ladder 'shrot'; did you mean 'short'? "
                "known: constraints, default, full, long, none, predictor, proxies, short, supernet"
            ),
        ),
        ({"ladder": "short,short"}, "ladder must be rungs, each once, got 'short,short'; name each once"),
        (
            {"ladder": 3},
            (
                "ladder must be default, none, or some of proxies, predictor, supernet, short, long, full, got 3; "
                "use default"
            ),
        ),
        ({"halving": "yes"}, "halving must be true or false, got 'yes'; write it without quotes"),
        ({"data": "a\0b"}, "data: path must be text without NUL, got 'a\\x00b'"),
        ({"data": ""}, "data must be a path of 1 to 4096 characters, got ''"),
    ],
)
def test_a_wrong_value_is_refused_with_its_cure(options: dict[str, object], message: str) -> None:
    """Each message names the key, what was given, what is allowed and, where there is one, a cure."""
    assert refused(**options) == message


def test_an_unknown_key_names_the_nearest() -> None:
    """A misspelt key is not ignored."""
    assert refused(workerz=2).startswith("unknown key 'workerz'; did you mean 'workers'? known: budget, constraints,")


def test_a_missing_key_is_named() -> None:
    """Without task and data there is no search."""
    with pytest.raises(SpecError, match=r"^task is missing.*\ndata is missing.*give --data, or the key data in"):
        SearchSpec.from_options()


def test_many_errors_are_cut_to_ten_lines() -> None:
    """However much is wrong, the message stays on a screen and says how much more there is."""
    wrong = {f"key{i}": i for i in range(30)}
    lines = refused(**wrong).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "and 21 more"


def test_a_files_errors_name_the_file_and_options_do_not(tmp_path: Path) -> None:
    """One can see where each wrong value came from."""
    file = tmp_path / "my spec.yaml"
    file.write_text("task: image-classification\ndata: digits\nworkers: 0\nsede: 1\nbudget: '10'\n")
    with pytest.raises(SpecError) as caught:
        load_spec(file, eta=1)
    lines = str(caught.value).splitlines()
    assert f"{file}: workers must be a whole number in [1, 1024], got 0; use the number of cores" in lines
    assert "eta must be a whole number in [2, 100], got 1; use 3" in lines
    assert any(line.startswith(f"{file}: unknown key 'sede'; did you mean 'seed'?") for line in lines)
    assert any(line.startswith(f"{file}: budget must be a time") for line in lines)


def test_a_specification_is_frozen() -> None:
    """A specification cannot be changed once it is made."""
    made = spec()
    with pytest.raises(ValueError, match="frozen"):
        made.seed = 3  # type: ignore[misc]


def test_a_free_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    """Checking an output folder makes neither it nor anything else."""
    require_free(tmp_path / "new" / "er" / "run")
    (tmp_path / "empty").mkdir()
    require_free(tmp_path / "empty")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["empty"]


def test_what_a_killed_beginning_left_is_no_hindrance(tmp_path: Path) -> None:
    """A study that was never put in its place, and its lock, are nothing; a note beside them is something."""
    for name in ("study.db.lock", ".study.db.new", ".study.db.new-wal"):
        (tmp_path / name).touch()
    require_free(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SpecError, match="is not empty"):
        require_free(tmp_path)


def test_folders_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    """A study, other content, a file in the way, a dangling link, /proc, a name too long: each says so."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.db").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    cases = {
        "study": "holds a study; go on with it",
        ".": "is not empty; name a new or empty folder",
        "file": "is not a folder",
        "file/under": "cannot be made: Not a directory",
        "link": "is not a folder",
        "/proc/netwright": "cannot be made",
        "new/" + "x" * 300: "cannot be made: File name too long",
        "x" * 300: "cannot be made: File name too long",
        "a\0b": "cannot be made: embedded null byte",
    }
    before = sorted(tmp_path.iterdir())
    for name, message in cases.items():
        with pytest.raises(SpecError, match=message):
            require_free(tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before
