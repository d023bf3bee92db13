# make demo    the main job, on this machine's Docker
# make test    all tests
# The rest is listed by "make help".

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 3s
EXPLORETIME ?= 30s

.DEFAULT_GOAL := help
.PHONY: help build demo test check lint fuzz explore bench image engine engine-down cluster cluster-down forge forge-down tools FORCE

help: ## List the targets.
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

build: bin/berth ## Build bin/berth, a static executable.

bin/berth: FORCE
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/berth

engine: ## Make sure that a Docker Engine answers.
	@test/setup.sh engine

engine-down: ## Stop the Docker Engine that "make engine" started.
	@test/setup.sh engine-down

cluster: build ## Start a Kubernetes cluster of one node, and print its KUBECONFIG.
	@test/setup.sh cluster

cluster-down: ## Stop the cluster that "make cluster" started, and remove it.
	@test/setup.sh cluster-down

forge: ## Start a Gitea, and print its URL with a name and a password.
	@test/setup.sh forge

forge-down: ## Stop the Gitea that "make forge" started, and remove it.
	@test/setup.sh forge-down

tools: ## Install what the tests need.
	@test/setup.sh tools

demo: engine build ## Run the main job: push a manifest, see the pod follow.
	@bin/berth demo --once

check: ## Quick feedback: formatting, vet and the unit tests.
	@test/run.sh format vet unit

test: engine tools build ## Run every test.
	@test/run.sh format vet lint start_cluster cluster build_gitea forge race fuzz image demo cluster_demo

lint: tools ## Run golangci-lint.
	@test/run.sh lint

fuzz: ## Run every fuzz test for FUZZTIME.
	@FUZZTIME=$(FUZZTIME) test/run.sh fuzz

explore: ## Run the property tests with random seeds, those of each package for EXPLORETIME.
	@EXPLORETIME=$(EXPLORETIME) test/run.sh explore

bench: engine build ## Measure; the figures of docs/benchmarks.md come from here.
	@test/run.sh start_cluster bench

image: engine build ## Build the container image, without a network.
	@DOCKER_BUILDKIT=0 docker build --quiet --tag berth:$(VERSION) --tag berth:latest .
