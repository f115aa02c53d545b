PYTHON ?= python3
PORT ?= 8000
SCALE ?= national

.PHONY: setup run test bench

setup:  ## environment, system packages, translations, static files
	@$(PYTHON) tools/bootstrap.py setup

run:  ## set up and run everything with demo data, until Ctrl-C
	@exec $(PYTHON) tools/bootstrap.py run --port $(PORT) --scale $(SCALE)

test:  ## set up and run every check
	@$(PYTHON) tools/bootstrap.py setup --tests
	@.venv/bin/python -m tools.check

bench:  ## set up and measure
	@$(PYTHON) tools/bootstrap.py setup --tests
	@.venv/bin/python -m bench.run
