# make test is the README's test command and what CI runs. It installs the Debian packages that tests need (as
# root), starts its own servers on free loopback ports in temporary folders, and stops them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

VERSION := $(shell git describe --tags --always 2>/dev/null || echo development)
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT)
FUZZTIME ?= 30s
TOGGLES ?= 1500
DEMO := go run -C cmd/demo -tags gms_pure_go .

.PHONY: build test setup lint unit demo-test demo bench test-compose fuzz soak soak-wire coverage-sql clean

build:
	go build -ldflags '$(LDFLAGS)' -o bin/proxy ./cmd/proxy

test: setup lint demo-test unit

# TiDB is built from its Go module, once: five to ten minutes of processor time.
setup:
	bash scripts/setup.sh
	bash integration/servers/get-tidb.sh "$${XDG_CACHE_HOME:-$$HOME/.cache}/sluice/tidb" || [ "$${CI:-}" != true ]

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted" >&2; exit 1; fi
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

# The race detector looks where goroutines meet: in the program's packages, in the integration tests that hold a part
# of it in their own process, and in the gateway that the others start (SLUICE_RACE); those drive it from one goroutine
# each. Much of theirs is waiting for servers: more of them run at once than there are processors.
IN_PROCESS := ^Test(Catalog|TableMarks|Definitions|SchemaOfTheTruth|OwnersAtOnce|Change|RedisIsNotTrusted|WarehouseLost|StoreStarts|Lease|Announce|AuditRows|PromiseRaced)
INTEGRATION := bash scripts/slowest.sh go test -count=1 -timeout 40m -parallel 4

unit:
	go test -race $$(go list ./... | grep -v '/integration$$')
	$(INTEGRATION) -race -run '$(IN_PROCESS)' ./integration
	SLUICE_RACE=1 $(INTEGRATION) -skip '$(IN_PROCESS)' ./integration

demo-test:
	$(DEMO) --play

demo:
	$(DEMO) $(ARGS)

bench:
	go test -run '^$$' -bench . -benchmem ./parser ./lineage/... ./enforcement/... ./gateway/...
	go test -run '^$$' -bench Relay ./integration
	SLUICE_SESSIONS=1 go test -run '^$$' -bench Load -benchtime 1x -timeout 30m ./integration
	go test -run '^$$' -bench Load -benchtime 1x -timeout 30m ./integration

# The black-box cases against the system of docker-compose.yml, which is brought up and taken down.
test-compose: setup
	SLUICE_COMPOSE=1 CI=true go test -count=1 -timeout 30m -v -run '^Test(Vectors|Clients|SideDoors|DisplayCap|Kill)$$' ./integration

# Every fuzz target for FUZZTIME each; none found is an error.
fuzz:
	bash scripts/fuzz.sh $(FUZZTIME)

# The long form of the promise, raced.
soak:
	SLUICE_TOGGLES=$(TOGGLES) go test -race -run Promise -v -timeout 2h -count 1 ./integration

# The long forms of what is measured on the wire: 10,000 sessions, gigabytes, the driver suite's long packets.
soak-wire:
	SLUICE_SOAK=1 go test -run 'IdleMemory|StreamMemory|DriverSuite' -v -timeout 1h -count 1 ./integration

# What share of the statements of MariaDB's own test suite is read and decided; writes docs/coverage.md.
coverage-sql:
	bash scripts/coverage-sql.sh

clean:
	rm -rf bin
