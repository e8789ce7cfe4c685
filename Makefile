# Everything a person or the CI does here is a target. `make` alone lists them.
# `make run` and `make test` need Go and nothing else; what else is installed is used.

BIN     := bin/baton
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X baton/app/baton.version=$(VERSION) -X baton/app/baton.commit=$(COMMIT)
TOOL    := go tool -modfile=.ci/tools/go.mod
GOTEST  := go run ./.ci/gotest/main.go
RACE    := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# compose (Docker, the default) or local (plain processes): make up DRIVER=local
DRIVEN   := $(if $(DRIVER),--driver $(DRIVER))
FUZZTIME ?= 60s
FAULT_MINUTES ?= 5
PORT     ?= $(or $(shell sed -n 's/^PORT=//p' .env 2>/dev/null),8000)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

##@ First

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  \033[36m%-10s\033[0m %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: build ## Build and serve at http://localhost:8000 with the embedded store
	@echo "==> http://localhost:$(PORT) is the console, ws://localhost:$(PORT)/ws/chat/ the service. Ctrl-C drains and stops."
	@exec env PORT=$(PORT) LOG_FORMAT=$${LOG_FORMAT:-text} ./$(BIN) serve

.PHONY: demo
demo: build ## A switch under load on this machine, without Docker
	@scripts/demo.sh

##@ Develop

.PHONY: dev
dev: ## Serve with hot reload
	@mkdir -p .run/dev
	@exec env PORT=$(PORT) LOG_FORMAT=$${LOG_FORMAT:-text} $(TOOL) air

.PHONY: build
build: ## Build bin/baton, static, version and commit stamped
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./app

.PHONY: test
test: ## Run the tests; redis-server is used where it is installed
	@$(GOTEST) -short $(RACE) -timeout 5m ./...
	@if command -v bash >/dev/null; then .ci/scripttest; else echo "SKIP  the scripts' tests: bash is not installed"; fi

.PHONY: lint
lint: ## Vet, golangci-lint, govulncheck, shellcheck, shfmt, promtool, actionlint
	@.ci/lint

.PHONY: fuzz
fuzz: ## Fuzz every fuzz target for FUZZTIME (60s)
	@.ci/fuzz $(FUZZTIME)

.PHONY: e2e
e2e: ## Run every test, the slow ones too: real Redis, Traefik, browser, Docker
	@$(GOTEST) -p 1 -timeout 40m ./...
	@echo "==> the wire again: the portable connection core, the server built with -race"
	@BATON_TAGS=goroutines $(if $(RACE),BATON_RACE=1) $(GOTEST) -short -tags goroutines -timeout 10m ./tests/wire/... ./app/...

.PHONY: faults
faults: ## Break everything at random for FAULT_MINUTES (5) under load; writes docs/reliability.md
	@FAULT_MINUTES=$(FAULT_MINUTES) FAULT_PAGE=$(CURDIR)/docs/reliability.md $(GOTEST) -count 1 -p 1 -v -timeout 60m ./tests/faults/...

.PHONY: soak-hour
soak-hour: build ## An hour (SOAK_MINUTES) of everyday life, every process watched; writes docs/reliability.md
	@scripts/soak/run.sh
	@scripts/soak/plot.py

.PHONY: hostile
hostile: ## Clients that mean harm, alone and through the real Traefik; writes their table in docs/reliability.md
	@RELIABILITY_PAGE=$(CURDIR)/docs/reliability.md $(GOTEST) -p 1 -v -timeout 15m ./tests/hostile
	@RELIABILITY_PAGE=$(CURDIR)/docs/reliability.md $(GOTEST) -p 1 -v -timeout 5m -run Smuggl ./tests/switch

.PHONY: failover
failover: ## Lose masters under Sentinel and in a Cluster, ten times each, under load; nothing may be lost
	@FAILOVER_ROUNDS=10 $(GOTEST) -p 1 -v -timeout 30m ./tests/failover/...

.PHONY: cluster
cluster: build ## Promotions against a real Kubernetes control plane, which is built first
	@programs=$$(.ci/kubernetes/build) && PATH="$$programs:$$PATH" $(GOTEST) -tags cluster -v -timeout 20m -run InACluster ./tests/kubernetes

.PHONY: bench
bench: ## Cost of a message and a connection beside other servers; writes docs/performance.md
	@BENCH_OUT=$(CURDIR)/tests/bench/results tests/bench/alone go test -run '^$$' -bench 'Messages|Idle|Start' -benchtime 1x -timeout 40m ./tests/bench
	@tests/bench/plot.py

.PHONY: bench-quick
bench-quick: ## One short round of the benchmark: all of it runs, nothing is written
	@BENCH_QUICK=1 go test -run '^$$' -bench . -benchtime 1x -timeout 10m ./tests/bench

.PHONY: bench-diff
bench-diff: ## The hot functions against their committed baseline
	@mkdir -p .run
	@go test -run '^$$' -bench . -benchmem -count 6 ./handlers/frame ./middleware/metrics >.run/bench.txt
	@$(TOOL) benchstat tests/bench/baseline.txt .run/bench.txt

.PHONY: capacity
capacity: ## 19,000 connections, their heartbeats and drain; latency against load
	@BENCH_OUT=$(CURDIR)/tests/bench/results tests/bench/alone go test -run '^$$' -bench Capacity -benchtime 1x -timeout 20m ./tests/bench
	@tests/bench/plot.py

.PHONY: bench-scaling
bench-scaling: ## Cost of a message over Redis masters, processes and REDIS_WAIT_REPLICAS
	@BENCH_OUT=$(CURDIR)/tests/bench/results tests/bench/alone go test -run '^$$' -bench Scaling -benchtime 1x -timeout 20m ./tests/bench
	@tests/bench/plot.py

.PHONY: handover
handover: build ## What a promotion costs each kind of client; writes docs/measurements-handover.md
	@BATON_HANDOVER_ROUNDS=5 BATON_HANDOVER_PAGE=$(CURDIR)/docs/measurements-handover.md go test -run TestHandover -v -timeout 15m ./tests/clients

.PHONY: clean
clean: ## Remove what was built
	@rm -rf bin .run/dev

##@ Operate (compose; DRIVER=local for plain processes)

.PHONY: up
up: ## Start the whole stack; returns when it serves
	@scripts/stack.sh up $(DRIVEN)

.PHONY: down
down: ## Stop the whole stack
	@scripts/stack.sh down $(DRIVEN)

.PHONY: promote
promote: ## Switch to the idle color, verify, retire the old one
	@scripts/promote.sh $(DRIVEN)

.PHONY: rollback
rollback: ## Go back to the other color
	@scripts/promote.sh rollback $(DRIVEN)

.PHONY: status
status: ## Say which color serves and how each one is
	@scripts/promote.sh status $(DRIVEN)

.PHONY: monitor
monitor: ## Watch the stack in the terminal
	@scripts/monitor.sh $(DRIVEN)

.PHONY: logs
logs: ## Follow the stack's logs
	@scripts/stack.sh logs $(DRIVEN)

.PHONY: load-test
load-test: build ## 5,000 Locust users through the front door (USERS, DURATION)
	@scripts/loadtest/run.sh
