# Thin on purpose: each target calls a script in scripts/, and makes first what that needs. A second call installs nothing.
.PHONY: help setup setup-train demo test faults check-gpu test-qgis340 bench lint package qgis

help: ## what there is to make
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | column -t -s '|'

setup: ## QGIS, the engine's environment, the one for training, and the tests' environments
	@scripts/setup.sh system engine dev qgis train

setup-train: ## the environment in which models are trained
	@scripts/setup.sh system train

demo: ## simulate a landscape, map it three times, compare with the truth
	@scripts/setup.sh system engine qgis
	@scripts/demo.sh

test: setup ## all tests, in the engine's environment and in QGIS
	@scripts/test.sh

faults: ## the whole fault suite: kills, full disks, stalling networks, hostile files
	@scripts/setup.sh system engine dev
	@scripts/faults.sh

check-gpu: ## providers, equality with the processor, back-off and rates on an NVIDIA graphics card, where there is one
	@scripts/check_gpu.sh

test-qgis340: ## the tests that need QGIS in a second QGIS, 3.40 in a Debian chroot (as root)
	@scripts/second_qgis.sh

bench: ## how long QGIS keeps its user waiting, and how fast the engine is, by other tools and by itself
	@scripts/setup.sh system engine qgis train
	@scripts/bench.sh

lint: ## ruff, flake8-qgis, bandit, detect-secrets
	@scripts/setup.sh lint
	@scripts/lint.sh

package: ## the plugin's zip, of what is committed, checked as the plugin site checks it
	@scripts/setup.sh lint
	@scripts/package.sh --scan

qgis: ## a real QGIS with the plugin loaded, in a profile of its own
	@scripts/setup.sh system engine qgis
	@scripts/run_qgis.sh
