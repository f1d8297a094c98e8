# make setup | demo | mbert-demo | test | test-faults | airflow | test-airflow | lint | audit | docs | images
#   make demo INPUT="any archive, folder, .paths list or URL"

PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
AIRFLOW := .airflow-venv
INPUT ?= tests/archive
ROOT ?= demo/corpus
STEPS ?= 50
MBERT ?= demo/mbert
MBERT_STEPS ?= 1200
# On a small corpus the JVM spends its time compiling: the quick compiler halves it.
JAVA_QUICK := -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
# Tests in several processes, of which one has the Spark session (tests/conftest.py); a third has the cores while tests
# of the other two wait for processes of theirs. What kills whole jobs goes by the clock more, and has two.
IN_THREE := --numprocesses 3
IN_TWO := --numprocesses 2
export PYTHONSAFEPATH = 1
export PATH := $(CURDIR)/$(BIN):$(PATH)
export SPARK_LOCAL_IP ?= 127.0.0.1
# Else each of the many processes of a run compiles all that it imports, and pytest rewrites each test file again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup java browser demo mbert-demo test test-faults airflow test-airflow lint audit docs images clean
.DELETE_ON_ERROR:

setup: $(VENV)/.installed java

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "setup: Python environment in $(VENV) (a few minutes the first time)"
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing: install Python 3.11, or say PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --upgrade --constraint constraints.txt pip setuptools
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[train,dev]'
	@touch $@

java: $(VENV)/.installed
	@docker/java.sh

# A browser that looks at the pages; without one their tests are skipped.
browser:
	@docker/chromium.sh

demo: setup
	@echo "demo: archives to shards and vocabulary ($(INPUT) -> $(ROOT))"
	@JAVA_HOME=$$(docker/java.sh --home) $(BIN)/spark-submit --master 'local[2]' --driver-memory 1g \
	  --driver-java-options '$(JAVA_QUICK)' jobs/corpus.py \
	  --input $(INPUT) --root $(ROOT) --config jobs/demo.toml
	@echo "demo: $(STEPS) training steps"
	@rm -rf demo/run
	@$(BIN)/torchrun --standalone --nproc-per-node 1 train/pretrain.py --shards $(ROOT)/sample --tokenizer $(ROOT)/vocab \
	  --output demo/run --config train/configs/demo.toml --steps $(STEPS)
	@$(BIN)/python jobs/report.py --root $(ROOT) --run demo/run

# The recipe of multilingual BERT, small: shards, a WordPiece vocabulary, masked words and next sentences, answers.
mbert-demo: setup
	@echo "mbert-demo: archives to shards and a WordPiece vocabulary ($(INPUT) -> $(MBERT))"
	@JAVA_HOME=$$(docker/java.sh --home) $(BIN)/spark-submit --master 'local[2]' --driver-memory 1g \
	  --driver-java-options '$(JAVA_QUICK)' jobs/corpus.py \
	  --input $(INPUT) --root $(MBERT) --config train/configs/mbert-tiny.toml
	@echo "mbert-demo: pretraining"
	@rm -rf $(MBERT)/run
	@$(BIN)/torchrun --standalone --nproc-per-node 1 train/pretrain.py --shards $(MBERT)/sample \
	  --tokenizer $(MBERT)/vocab --output $(MBERT)/run --config train/configs/mbert-tiny.toml --steps $(MBERT_STEPS)
	@$(BIN)/python jobs/report.py --root $(MBERT) --run $(MBERT)/run
	@echo "mbert-demo: what $(MBERT)/run/export answers"
	@$(BIN)/python train/predict.py fill-mask --model $(MBERT)/run/export --examples --top-k 3
	@$(BIN)/python train/predict.py follows --model $(MBERT)/run/export --examples

test: setup browser
	@JAVA_HOME=$$(docker/java.sh --home) $(BIN)/python -m pytest $(IN_THREE) -m "not faults"

test-faults: setup browser
	@JAVA_HOME=$$(docker/java.sh --home) $(BIN)/python -m pytest $(IN_TWO) -m faults

# An environment of its own: the provider of Spark brings pyspark-client, whose files are pyspark's.
airflow: $(AIRFLOW)/.installed

$(AIRFLOW)/.installed: docker/airflow-constraints.txt
	@echo "airflow: Python environment in $(AIRFLOW) (a minute or two the first time)"
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing: install Python 3.11, or say PYTHON=..."; exit 2; }
	@test -x $(AIRFLOW)/bin/python || $(PYTHON) -m venv $(AIRFLOW)
	@$(AIRFLOW)/bin/python -m pip install -qq --upgrade pip
	@$(AIRFLOW)/bin/python -m pip install -qq --constraint docker/airflow-constraints.txt \
	  apache-airflow apache-airflow-providers-apache-spark
	@touch $@

# ONLY: which of them, as pytest says it.
test-airflow: setup airflow
	@JAVA_HOME=$$(docker/java.sh --home) $(BIN)/python -m pytest tests/dags -m "$(ONLY)"

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python .ci/licences.py
	@$(BIN)/python docs/reference.py build/docs >/dev/null
	@$(BIN)/hadolint docker/*.Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	@$(BIN)/kubernetes-validate --strict --quiet $$(ls docker/kubernetes/*.yaml | grep -v kustomization)
	@if docker compose version >/dev/null 2>&1; then docker compose --profile '*' config --quiet; fi

# Known vulnerabilities of what constraints.txt pins; fails too where the advisory service cannot be asked.
audit: setup
	@$(BIN)/python .ci/audit.py

# The reference of all modules, and the pages of docs/, in build/docs.
docs: setup
	@$(BIN)/python docs/reference.py build/docs

images:
	@WANYU_REVISION=$$(git describe --always --exclude '*' --abbrev=40 --dirty) docker compose --profile '*' build

clean:
	rm -rf demo build
