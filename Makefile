# make demo   runs the main job: a model goes live and is replaced under load
# make check  runs every check that CI runs
# make e2e    runs the workflow that we ship with the real components around it
.PHONY: demo check build format lint model test e2e azurite bench release deps clean

CACHE := $(CURDIR)/.cache
BIN   := $(CACHE)/bin
SOURCES = $(shell git ls-files '*.go' '*.py' go.mod go.sum examples .github)

demo: build
	bin/hotswap demo

build: bin/hotswap
bin/hotswap: $(SOURCES)
	go build -o $@ ./cmd/hotswap

# What a repository's runners download, each with its digest beside it.
RELEASES = dist/hotswap-linux-amd64 dist/hotswap-linux-arm64
release: $(RELEASES)
dist/hotswap-linux-%: $(SOURCES)
	CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -trimpath -ldflags "-s -w" -o $@ ./cmd/hotswap
	cd dist && sha256sum $(@F) > $(@F).sha256

check: deps azurite lint model test e2e

# What the machine lacks and the project cannot bring along.
deps:
	@tools/deps.sh

$(BIN)/gofumpt: tools/go.mod
	cd tools && go build -o $@ mvdan.cc/gofumpt
$(BIN)/golangci-lint: tools/go.mod
	cd tools && go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(BIN)/actionlint: tools/actionlint/go.mod
	cd tools/actionlint && go build -o $@ github.com/rhysd/actionlint/cmd/actionlint
$(BIN)/act: tools/act/go.mod
	cd tools/act && go build -o $@ github.com/nektos/act

format: $(BIN)/gofumpt
	$(BIN)/gofumpt -w $(shell git ls-files '*.go')

# actionlint 1.7.12 is older than GitHub's concurrency.queue (May 2026).
ACTIONLINT = $(BIN)/actionlint -ignore 'unexpected key "queue" for "concurrency" section'

lint: $(BIN)/gofumpt $(BIN)/golangci-lint $(BIN)/actionlint
	@test -z "$$($(BIN)/gofumpt -l $(shell git ls-files '*.go'))" || { echo "not formatted: run make format"; exit 1; }
	$(BIN)/golangci-lint run ./...
	cd e2e && $(BIN)/golangci-lint run ./...
	$(ACTIONLINT)

test:
	go test -race -json -timeout 40m ./... | python3 tools/summary.py

# GitHub's published description of its REST API, from its package, which holds many others.
OPENAPI := $(CACHE)/openapi/api.github.com.json
OPENAPI_VERSION = 23.0.2
OPENAPI_SHA256 = 829b4bebb19a53133289f7b0bc819f4f1118115821db2ca9f25e9ee995a7da2a
$(OPENAPI):
	mkdir -p $(@D)
	cd $(@D) && tar -xzOf "$$(npm pack --silent @octokit/openapi@$(OPENAPI_VERSION))" package/generated/$(@F) > $(@F).part
	echo "$(OPENAPI_SHA256)  $@.part" | sha256sum --check --quiet
	rm -f $(@D)/*.tgz && mv $@.part $@

# The real components that the tests in e2e start, beside hotswap itself.
E2E_TOOLS = $(BIN)/act $(BIN)/actionlint $(BIN)/gitea

# go test can not see that the programs have changed, so nothing of this is cached.
e2e: build $(E2E_TOOLS) $(OPENAPI)
	cd e2e && go test -count 1 -json -timeout 20m ./... | python3 ../tools/summary.py

# Every variant of the protocol's model: those that must hold, and those that must not.
model: deps
	python3 tools/model.py

# The peer of the blob store's suite: Azure's own emulator, from its package.
AZURITE := $(CACHE)/azurite/node_modules/.bin/azurite-blob
azurite: $(AZURITE)
$(AZURITE):
	npm install --ignore-scripts --no-audit --no-fund --silent --prefix $(CACHE)/azurite azurite@3.35.0

# The forge that e2e/gitea talks to. Four minutes, once.
$(BIN)/gitea: tools/gitea/go.mod
	cd tools/gitea && go build -tags "sqlite sqlite_unlock_notify" -ldflags "-s -w" -o $@ code.gitea.io/gitea

bench: deps build
	go run ./bench

clean:
	rm -rf bin dist $(CACHE)
