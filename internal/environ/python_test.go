package environ

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestConstraint(t *testing.T) {
	for spec, versions := range map[string]map[string]bool{
		"=3.9":        {"3.9.18": true, "3.9": true, "3.10.1": false, "3.8.9": false},
		"==3.9.7":     {"3.9.7": true, "3.9.18": false},
		">=3.9,<3.12": {"3.9.0": true, "3.11.7": true, "3.12.0": false, "3.8.1": false},
		">3.9":        {"3.9.1": true, "3.9.0": false, "3.9": false, "3.10.0": true},
		"<=3.9":       {"3.9.18": false, "3.9": true, "3.10.0": false},
		"<3.10":       {"3.9.18": true, "3.10.0": false},
		"!=3.9.*":     {"3.9.18": false, "3.10.0": true},
		"~=3.9":       {"3.9.18": true, "3.12.0": true, "3.8.0": false},
		"~=3.9.2":     {"3.9.18": true, "3.9.1": false, "3.10.0": false},
		"":            {"3.9.18": true},
	} {
		text, err := condaVersion(spec)
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseConstraint(text)
		if err != nil {
			t.Fatal(err)
		}
		for v, want := range versions {
			if parsed, _ := parseVersion(v); c.allows(parsed) != want {
				t.Errorf("python%s allows %s: %t, want %t", spec, v, !want, want)
			}
		}
	}
}

// install puts a program on the PATH that answers like a Python of that version.
func install(t *testing.T, dir, name, version string) {
	t.Helper()
	path := filepath.Join(dir, name)
	script := fmt.Sprintf("#!/bin/sh\necho %s\necho %s\n", path, version)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestChoose(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "python3", "3.50.2")
	install(t, dir, "python3.40", "3.40.9")
	install(t, dir, "python3.60", "3.60.0")
	install(t, dir, "python3.61", "3.8.1") // too old for the worker, whatever its name says
	if err := os.WriteFile(filepath.Join(dir, "python3.41"), []byte("#!/bin/sh\nexit 127\n"), 0o700); err != nil {
		t.Fatal(err) // a shim of a version that is not there
	}
	t.Setenv("PATH", dir)
	for name, test := range map[string]struct {
		spec, want string
		exact      bool
	}{
		"any":                   {"", "3.50.2", true},
		"the system's":          {"=3.50", "3.50.2", true},
		"system's before newer": {">=3.40", "3.50.2", true},
		"another":               {"=3.40", "3.40.9", true},
		"newest that fits":      {">=3.51", "3.60.0", true},
		"nearest older":         {"=3.42", "3.40.9", false},
		"nearest newer":         {"=3.58", "3.60.0", false},
		"nearest, a tie":        {"=3.45.9", "3.50.2", false},
		"other micro version":   {"==3.40.1", "3.40.9", false},
		"shim of nothing":       {"=3.41", "3.40.9", false},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := condaVersion(test.spec)
			if err != nil {
				t.Fatal(err)
			}
			c, err := parseConstraint(text)
			if err != nil {
				t.Fatal(err)
			}
			got, exact, err := new(pythons).choose(t.Context(), c)
			if err != nil || got.version.String() != test.want || exact != test.exact {
				t.Errorf("chose %v, exact %t, %v; want %s, %t", got.version, exact, err, test.want, test.exact)
			}
		})
	}
}
