# make demo   runs the main job: a model goes live and is replaced under load
# make check  runs every check that CI runs
.PHONY: demo check build format lint model test azurite bench deps clean

CACHE := $(CURDIR)/.cache
BIN   := $(CACHE)/bin
SOURCES = $(shell git ls-files '*.go' '*.py' go.mod go.sum examples)

demo: build
	bin/hotswap demo

build: bin/hotswap
bin/hotswap: $(SOURCES)
	go build -o $@ ./cmd/hotswap

check: deps azurite lint model test

# What the machine lacks and the project cannot bring along.
deps:
	@tools/deps.sh

$(BIN)/gofumpt: tools/go.mod
	cd tools && go build -o $@ mvdan.cc/gofumpt
$(BIN)/golangci-lint: tools/go.mod
	cd tools && go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

format: $(BIN)/gofumpt
	$(BIN)/gofumpt -w $(shell git ls-files '*.go')

lint: $(BIN)/gofumpt $(BIN)/golangci-lint
	@test -z "$$($(BIN)/gofumpt -l $(shell git ls-files '*.go'))" || { echo "not formatted: run make format"; exit 1; }
	$(BIN)/golangci-lint run ./...

test:
	go test -race -json -timeout 40m ./... | python3 tools/summary.py

# Every variant of the protocol's model: those that must hold, and those that must not.
model: deps
	python3 tools/model.py

# The peer of the blob store's suite: Azure's own emulator, from its package.
AZURITE := $(CACHE)/azurite/node_modules/.bin/azurite-blob
azurite: $(AZURITE)
$(AZURITE):
	npm install --ignore-scripts --no-audit --no-fund --silent --prefix $(CACHE)/azurite azurite@3.35.0

bench: deps build
	go run ./bench

clean:
	rm -rf bin $(CACHE)
