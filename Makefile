# netwright: everything a developer runs. `make` alone prints this list.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FIND_LINKS := $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS))
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help env demo test test-long test-slow lint format types layers check examples schema clean bench-queries bench-validation \
	bench-proxies bench-robustness bench-pareto bench-fidelities bench-priors bench-transfer bench-predictors bench-scores \
	bench-curves bench-latency bench-latency-transfer bench-ladder bench-darts bench-tasks

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(VENV)/.ready ## make the environment (a virtual environment in .venv)

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip install -q --python $(BIN)/python $(FIND_LINKS) -c constraints.txt -e '.[all]' --group dev
	touch $@

demo: env ## a real search on real images in about three minutes
	$(BIN)/netwright search --task image-classification --data digits --budget 3m --workers 2 --seed 0 \
		--constraint 'params<=200k' --out runs/demo-$$(date +%Y%m%d-%H%M%S)

test: env ## the default tests (at most five minutes on two cores)
	$(BIN)/python -m pytest -n 2

test-long: env ## the tests marked long: whole runs of several seconds each
	$(BIN)/python -m pytest -n 2 -m 'long and not slow and not gpu'

test-slow: env ## the tests marked slow
	$(BIN)/python -m pytest -n 2 -m 'slow and not gpu' --timeout 3000

lint: env ## style and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell src tests docs examples benchmarks README.md CHANGELOG.md CONTRIBUTING.md

format: env ## put the code in form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: env ## check the types
	$(BIN)/mypy

layers: env ## check that a layer imports only from below
	$(BIN)/lint-imports

examples: env ## run every example
	for f in examples/*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

check: lint types layers test test-long examples ## all that CI checks

DATA ?= ../shared/data
SEEDS ?= 200
NB201 = OMP_NUM_THREADS=1 $(BIN)/python benchmarks/strategies_nb201.py

bench-queries: env ## queries to the optimum of NAS-Bench-201 (T1, T2, T13) into docs/figures/
	$(NB201) queries --data $(DATA) --seeds $(SEEDS) --write docs/figures/queries.md

bench-validation: env ## validation to test (T4)
	$(NB201) validation --data $(DATA) --seeds $(SEEDS) --strategy random evolution local bayesian --write docs/figures/validation.md

bench-proxies: env ## label-free scores, true and flipped (T3, T12)
	$(NB201) proxies --data $(DATA) --seeds $(SEEDS) --queries 100 --strategy bayesian --write docs/figures/proxies.md

bench-robustness: env ## shuffled and noisy labels (T12)
	$(NB201) robustness --data $(DATA) --seeds $(SEEDS) --queries 100 --dataset cifar10 \
		--strategy random local bayesian --write docs/figures/robustness.md

bench-pareto: env ## share of the hypervolume on 27 devices (T9)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/pareto_nb201.py --data $(DATA) --seeds 50 --write docs/figures/pareto.md

bench-ladder: env ## full trainings that the ladder needs beside plain evolution, also with rungs that mislead
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/ladder_nb201.py --data $(DATA) --seeds 40 \
		--arm evolution bayesian halving ladder ladder-evolution trainings flipped
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/ladder_nb201.py --data $(DATA) --table nasbench201-cifar100 --seeds 30 \
		--arm evolution halving ladder trainings
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/ladder_nb201.py --data $(DATA) --seeds 40 --regret 1 \
		--arm evolution halving ladder ladder-evolution trainings flipped
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/ladder_nb201.py --data $(DATA) --seeds 10 --equivalents 60 --arm bayesian noise

FIDELITIES = OMP_NUM_THREADS=1 $(BIN)/python benchmarks/fidelities_nb201.py --data $(DATA) --equivalents 150
TRUE_OR_NOISE = bayesian asha:inner=bayesian,predictable=true

bench-fidelities: env ## full trainings until a regret of 0.1 points with low fidelities (T11), and with noise in their place
	rm -f docs/figures/fidelities.md docs/figures/fidelities_noise.md
	$(FIDELITIES) --seeds 200 --strategy $(TRUE_OR_NOISE) --write docs/figures/fidelities.md
	$(FIDELITIES) --seeds 200 --noise --strategy $(TRUE_OR_NOISE) --write docs/figures/fidelities_noise.md
	for set in cifar100 imagenet16-120; do \
		$(FIDELITIES) --table nasbench201-$$set --strategy $(TRUE_OR_NOISE) --write docs/figures/fidelities.md; \
		$(FIDELITIES) --table nasbench201-$$set --noise --strategy $(TRUE_OR_NOISE) --write docs/figures/fidelities_noise.md; \
	done
	$(FIDELITIES) --strategy bayesian freeze-thaw bohb hyperband --write docs/figures/fidelities.md
	$(FIDELITIES) --noise --strategy bayesian freeze-thaw asha:inner=bayesian --write docs/figures/fidelities_noise.md

bench-priors: env ## PriorBand with a good prior, a bad one and none
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/priorband_nb201.py --data $(DATA) --seeds 50 --write docs/figures/priors.md

bench-transfer: env ## searches that begin with an earlier study
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/transfer_nb201.py --data $(DATA) --seeds $(SEEDS) --write docs/figures/transfer.md

PREDICTORS = OMP_NUM_THREADS=1 $(BIN)/python benchmarks/predictors_nb201.py --data $(DATA) --seeds 50 \
	--predictor average average+scores params

bench-predictors: env ## rank correlation and calibration of predictors (T7), alone and, after bench-scores, with proxies
	$(PREDICTORS) --held-out 1000 --table nasbench201-cifar10 --write docs/figures/predictors.md
	$(PREDICTORS) --proxy-scores runs/proxies.jsonl --table nasbench201-cifar10 --write docs/figures/predictors_proxies.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/predictors_nb201.py --data $(DATA) --seeds 20 --labels 20 50 100 --held-out 1000 \
		--predictor average params --write docs/figures/predictors_others.md --jobs 2 --table nasbench201-cifar100 \
		nasbench201-imagenet16-120 nasbench-macro channel-bench-resnet accel-nasbench

SCORES = OMP_NUM_THREADS=1 $(BIN)/python benchmarks/proxies_nb201.py --data $(DATA) --seed 1

bench-scores: env ## rank correlation of zero-cost proxies on two tables (T5, T6); about an hour
	$(SCORES) --proxies default --scores runs/proxies.jsonl --write docs/figures/proxy_correlations.md
	$(SCORES) --proxies all --sample 200 --scores runs/proxies_all.jsonl --write docs/figures/proxy_correlations_all.md
	$(SCORES) --table nasbench-macro --proxies default --sample 500 --scores runs/proxies_macro.jsonl \
		--write docs/figures/proxy_correlations_macro.md

bench-curves: env ## extrapolated learning curves and stopping
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/learning_curves.py --data $(DATA) --jobs 2 --write docs/figures/learning_curves.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/ladder_curves.py --data $(DATA) --write docs/figures/ladder.md

bench-latency: env ## whether two measurements of latency agree; on an idle machine
	$(BIN)/python benchmarks/latency_agreement.py --write docs/figures/latency.md

bench-latency-transfer: env ## latency of an unseen device from few measurements (T10)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/latency_transfer.py --data $(DATA) --jobs 2 --write docs/figures/latency_transfer.md

bench-darts: env ## what differentiable search costs a step, and what it finds on NAS-Bench-201; an hour on an idle machine
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/darts_cost.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/darts_nb201.py --data $(DATA)

bench-tasks: env ## search and hand-made networks at equal time, every task, three seeds; days on two cores
	$(BIN)/python benchmarks/detection_bccd.py --data $(DATA)/bccd --budget 30m
	$(BIN)/python benchmarks/speech_fsdd.py --data $(DATA)/fsdd/fsdd.npz --budget 15m --seeds 0 1 2 --table docs/figures/speech.md
	$(BIN)/python benchmarks/translation_multi30k.py --data $(DATA)/multi30k --budget 60m --seeds 0 1 2
	$(BIN)/python benchmarks/language_model.py --data $(DATA)/text/tinyshakespeare.txt.gz --seeds 0 1 2
	$(BIN)/python benchmarks/text_classification.py --shared $(DATA) --budget 5m --write docs/figures/text_classification.md
	$(BIN)/python benchmarks/image_multilabel.py --shared $(DATA) --budget 5m --write docs/figures/image_multilabel.md
	$(BIN)/python benchmarks/fashion_mnist.py --budget 10m --seeds 0 1 2
	$(BIN)/python benchmarks/tabular.py --shared $(DATA) --budget 10m --seeds 0 1 2 --write docs/figures/tabular.md
	-$(BIN)/python -m pip install -q --no-deps statsmodels # three series to forecast
	$(BIN)/python benchmarks/series.py --shared $(DATA) --budget 5m --seeds 0 1 2 --write docs/figures/series.md
	$(BIN)/python benchmarks/graph_cora.py --shared $(DATA) --budget 5m --seeds 0 1 2 --write docs/figures/graphs.md

schema: env ## write docs/spec.schema.json anew
	$(BIN)/netwright schema > docs/spec.schema.json

clean: ## remove what was made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
