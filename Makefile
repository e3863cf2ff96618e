# Two commands do all of their own set-up: `make nightly` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin
CONFIG ?= conf/default.toml
AS_OF ?= 2025-04-17
RECSYNTH_DATA ?= ../shared/data
export PYSPARK_PYTHON := $(CURDIR)/$(BIN)/python
export RECSYNTH_DATA
export TOKENIZERS_PARALLELISM := false
# Tests in so many processes, each with a Spark session of up to 4 GB and one thread for torch and trees, lest they
# wait for each other's; the tests of a file stay together.
PROCESSES ?= 2
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile

.PHONY: nightly test test-slow lint faults bench bench-quality bench-ablation bench-model bench-methods bench-gpu bench-apps bench-propensity bench-value bench-demand bench-prices bench-surges bench-poison bench-windows bench-planted bench-texts bench-aspects bench-synthesis bench-membership bench-robustness bench-labels bench-translation bench-checks install clean

nightly: .venv/installed  ## run one whole night; simulates a shop where CONFIG says so and nothing has landed
	$(BIN)/python jobs/nightly.py --config $(CONFIG) --as-of $(AS_OF) $(ARGS)

test: .venv/installed  ## run every test but the slow ones
	$(TESTS) -m "not slow" $(ARGS)

test-slow: .venv/installed  ## run the slow tests: whole nights, one of them killed on the way, real data, two processes
	$(TESTS) -m slow $(ARGS)

lint: .venv/installed  ## style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

faults: .venv/installed  ## faults planted all along a night, for a release: hours; goes on where it was stopped
	$(BIN)/python -m tests.faults $(ARGS)

bench: bench-quality bench-windows bench-ablation bench-model bench-methods bench-apps bench-synthesis bench-membership bench-robustness bench-labels bench-translation bench-checks bench-poison  ## every measured figure

bench-quality: .venv/installed .venv-peers/installed  ## nights on Online Retail beside public peers, on three dates
	$(BIN)/python -m tests.benchmarks.quality --data $(RECSYNTH_DATA)/online_retail \
	  --peers .venv-peers/bin/python $(ARGS)

bench-windows: .venv/installed  ## what reading windows from the nights before saves, and what it costs
	$(BIN)/python -m tests.benchmarks.windows --data $(RECSYNTH_DATA)/online_retail $(ARGS)

bench-ablation: .venv/installed  ## what each source and group of features adds to a night, and what variety costs
	$(BIN)/python -m tests.benchmarks.ablation --data $(RECSYNTH_DATA)/online_retail $(ARGS)

bench-model: .venv/installed  ## the language model on Online Retail's held-out items, three seeds
	$(BIN)/python -m tests.benchmarks.model --data $(RECSYNTH_DATA)/online_retail $(ARGS)

bench-methods: .venv/installed  ## ways to adapt the language model side by side, hours on two cores
	$(BIN)/python -m tests.benchmarks.methods --data $(RECSYNTH_DATA)/online_retail $(ARGS)

bench-gpu: .venv/installed  ## the GPU path on a machine that has one: checks, speed, launcher and UDFs
	$(BIN)/python -m tests.benchmarks.gpu $(ARGS)

bench-poison: .venv/installed  ## what click farms and planted words move in the lists of a simulated shop
	$(BIN)/python -m tests.benchmarks.poison $(ARGS)

bench-apps: bench-propensity bench-value bench-demand bench-prices bench-surges bench-planted bench-texts bench-aspects  ## the applications

bench-propensity: .venv/installed  ## chances to buy on Online Retail, judged on the days after three dates
	$(BIN)/python -m tests.benchmarks.propensity --data $(RECSYNTH_DATA)/online_retail $(ARGS)

bench-value: .venv/installed  ## what customers will spend on Online Retail, judged on the days after three dates
	$(BIN)/python -m tests.benchmarks.value --data $(RECSYNTH_DATA)/online_retail $(ARGS)

bench-demand: .venv/installed  ## forecasts on weekly_sales and Online Retail, judged on the weeks after
	$(BIN)/python -m tests.benchmarks.demand --data $(RECSYNTH_DATA) $(ARGS)

bench-prices: .venv/installed  ## answers to prices on Online Retail and a simulated shop, judged on prices that changed after
	$(BIN)/python -m tests.benchmarks.prices --data $(RECSYNTH_DATA) $(ARGS)

bench-surges: .venv/installed  ## surges of complaints, planted and real
	$(BIN)/python -m tests.benchmarks.surges --data $(RECSYNTH_DATA) $(ARGS)

bench-planted: .venv/installed  ## answers, labels and advertisements on the simulated shop against what was planted
	$(BIN)/python -m tests.benchmarks.planted $(ARGS)

bench-texts: .venv/installed  ## text classifiers on five labelled sets, 90 minutes
	$(BIN)/python -m tests.benchmarks.texts --data $(RECSYNTH_DATA) $(ARGS)

bench-aspects: .venv/installed  ## aspects of product reviews and what is thought of them, a product left out at a time
	$(BIN)/python -m tests.benchmarks.aspects --data $(RECSYNTH_DATA) $(ARGS)

bench-robustness: .venv/installed  ## mistyped and missing texts, blind clicks; with items in other words and without
	$(BIN)/python -m tests.benchmarks.robustness --data $(RECSYNTH_DATA)/online_retail $(ARGS)

bench-translation: .venv/installed  ## back-translation by a pair of models taught here, on held-out sentences
	$(BIN)/python -m tests.benchmarks.translation --data $(RECSYNTH_DATA) $(ARGS)

bench-labels: .venv/installed  ## reviews, questions and opinions that nobody wrote, on real labelled sets
	$(BIN)/python -m tests.benchmarks.labels --data $(RECSYNTH_DATA) $(ARGS)

bench-checks: .venv/installed  ## what thirty rules on rows cost beside reading and writing
	$(BIN)/python -m tests.benchmarks.checks $(ARGS)

bench-synthesis: .venv/installed  ## synthetic people on Online Retail, beside three baselines and real people
	$(BIN)/python -m tests.benchmarks.synthesis --data $(RECSYNTH_DATA)/online_retail $(ARGS)

bench-membership: .venv/installed  ## what the released model and lists tell of who was learned from, Online Retail
	$(BIN)/python -m tests.benchmarks.membership --data $(RECSYNTH_DATA)/online_retail $(ARGS)

install: .venv/installed  ## the local environment alone

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m recsynth.session
	touch $@

# RecTools wants NumPy 1, the product NumPy 2: the peers live apart.
.venv-peers/installed: tests/benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --requirement $<
	touch $@

clean:  ## remove the environment and everything that a night wrote
	rm -rf .venv .venv-peers data
