package hotswap_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers is the architecture of docs/architecture.md: a package may import packages of lower
// layers only, so packages of one layer don't know each other.
var layers = [][]string{
	{"cmd/hotswap", "bench"},
	{"internal/cli"},
	{"internal/demo"},
	{"internal/app"},
	{"internal/api"},
	{"internal/control", "internal/workers/process", "internal/rollout", "internal/doctor", "internal/gate"},
	{
		"internal/gateway", "internal/workers", "internal/assets", "internal/environ", "internal/store",
		"internal/azure", "internal/journal", "internal/checks", "internal/spec",
	},
	{"internal/arm", "internal/blob", "internal/identity", "internal/scoring", "internal/frame", "internal/meter", "internal/certs", "internal/load", "internal/document", "internal/webhook", "internal/forge"},
	{"internal/online", "internal/crashpoint", "worker", "examples", "schemas"},
}

// server and pipeline are the two sides, which meet in cli and demo only.
var (
	server = []string{
		"internal/app", "internal/api", "internal/control", "internal/workers/process", "internal/gateway", "internal/workers",
		"internal/assets", "internal/environ", "internal/store", "internal/arm", "internal/blob", "internal/identity",
		"internal/frame", "internal/meter", "internal/certs", "worker",
	}
	pipeline = []string{"internal/rollout", "internal/doctor", "internal/gate", "internal/azure", "internal/journal", "internal/checks", "internal/spec", "internal/document", "internal/webhook", "internal/forge"}
)

const module = "hotswap/"

// imports returns what each of the module's packages imports, tests left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	imported := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		from := strings.TrimPrefix(words[0], module)
		imported[from] = nil
		for _, to := range words[1:] {
			if to, ours := strings.CutPrefix(to, module); ours {
				imported[from] = append(imported[from], to)
			}
		}
	}
	return imported
}

func TestImportsPointDown(t *testing.T) {
	layer := map[string]int{}
	for n, names := range layers {
		for _, name := range names {
			layer[name] = n
		}
	}
	for from, tos := range imports(t) {
		n, known := layer[from]
		if !known && slices.Contains([]string{"cmd", "internal"}, strings.Split(from, "/")[0]) {
			t.Errorf("%s is in no layer: add it to layers", from)
		}
		for _, to := range tos {
			if layer[to] <= n {
				t.Errorf("%s imports %s, which is not below it", from, to)
			}
		}
	}
}

func TestSidesDoNotMeet(t *testing.T) {
	for from, tos := range imports(t) {
		for _, to := range tos {
			switch {
			case slices.Contains(server, from) && slices.Contains(pipeline, to),
				slices.Contains(pipeline, from) && slices.Contains(server, to):
				t.Errorf("%s imports %s: server and pipeline share rows 0 and 1 only", from, to)
			}
		}
	}
}

func TestDomainImportsStandardLibraryOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "./internal/online").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.Lines(string(out)) {
		if first, _, _ := strings.Cut(strings.TrimSpace(path), "/"); strings.Contains(first, ".") || first == "hotswap" {
			t.Errorf("internal/online imports %s", strings.TrimSpace(path))
		}
	}
}
