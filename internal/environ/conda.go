package environ

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"hotswap/internal/online"
)

// condaFile is the environment.yml of conda (docs.conda.io, "Managing environments", "Creating an
// environment file manually").
type condaFile struct {
	Name         string         `yaml:"name"`
	Channels     []string       `yaml:"channels"`
	Dependencies []dependency   `yaml:"dependencies"`
	Prefix       string         `yaml:"prefix"`
	Variables    map[string]any `yaml:"variables"`
}

// dependency is a line for conda, or the lines for pip.
type dependency struct {
	spec string
	pip  []string
}

// UnmarshalYAML reads a string, or an object whose one key is pip.
func (d *dependency) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&d.spec) == nil {
		return nil
	}
	var lists map[string][]string
	if err := unmarshal(&lists); err != nil {
		return fmt.Errorf("want a package like %q, or %q with a list of requirements: %w", "numpy=1.26", "pip:", err)
	}
	for key := range lists {
		if key != "pip" {
			return fmt.Errorf("key %q: only %q may hold a list of requirements", key, "pip")
		}
	}
	d.pip = lists["pip"]
	return nil
}

// wish is what a conda file asks for, in pip's words.
type wish struct {
	python       constraint // nil for any
	requirements []string   // lines of a requirements file, sorted
	warnings     []string   // what was left out and may be missed
	notes        []string   // what was left out and won't be missed
}

// parse reads the text of a conda file.
func parse(text string) (wish, error) {
	var file condaFile
	if err := yaml.UnmarshalWithOptions([]byte(text), &file, yaml.Strict()); err != nil {
		return wish{}, online.Errorf(online.Invalid, "conda file: %s", strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	var w wish
	if len(file.Variables) > 0 {
		w.warnings = append(w.warnings, "the conda file's variables are not set: put them into the deployment's environment_variables")
	}
	for _, d := range file.Dependencies {
		if err := w.add(d); err != nil {
			return wish{}, online.Errorf(online.Invalid, "conda file: %w", err)
		}
	}
	slices.Sort(w.requirements)
	w.requirements = slices.Compact(w.requirements)
	return w, nil
}

func (w *wish) add(d dependency) error {
	for _, line := range d.pip {
		if err := w.addPip(strings.TrimSpace(line)); err != nil {
			return err
		}
	}
	if d.pip != nil {
		return nil
	}
	return w.addConda(d.spec)
}

// A conda package as it is written by hand: [channel::]name, a version that may touch the name or
// not, and a build (docs.conda.io, "Package match specifications").
var condaSpec = regexp.MustCompile(`^(?:[\w./-]+::)?([A-Za-z0-9_][\w.-]*)\s*([=<>!~ ].*)?$`)

func (w *wish) addConda(spec string) error {
	match := condaSpec.FindStringSubmatch(strings.TrimSpace(spec))
	if match == nil {
		return fmt.Errorf("dependency %q: want a name with a version, like %q", spec, "numpy=1.26")
	}
	name := strings.ToLower(match[1])
	version, err := condaVersion(match[2])
	if err != nil {
		return fmt.Errorf("dependency %q: %w", spec, err)
	}
	switch {
	case name == "python":
		w.python, err = parseConstraint(version)
		return err
	case name == "pip":
		return nil // every environment has one
	case condaOnly(name):
		w.warnings = append(w.warnings, fmt.Sprintf("conda package %s is left out: it has no counterpart on PyPI", name))
		return nil
	}
	w.require(pypiName(name), version)
	return nil
}

var (
	condaFuzzy = regexp.MustCompile(`^=?\s*(\d[\w.!+]*?)(?:\.?\*)?$`)
	condaExact = regexp.MustCompile(`^={0,2}\s*(\d[\w.!+]*)(?:\s*=\s*|\s+)[\w*.]+$`)
	pipVersion = regexp.MustCompile(`^(==|!=|<=|>=|<|>|~=)\s*(\d[\w.!+*]*)$`)
)

// condaVersion turns conda's way to write versions into pip's: a single = takes every version that
// begins so, and a third part names a build, which PyPI does not know.
func condaVersion(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil
	}
	if match := condaExact.FindStringSubmatch(text); match != nil {
		return "==" + match[1], nil
	}
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if match := condaFuzzy.FindStringSubmatch(part); match != nil {
			parts = append(parts, "=="+match[1]+".*")
		} else if match := pipVersion.FindStringSubmatch(part); match != nil {
			parts = append(parts, match[1]+match[2])
		} else {
			return "", fmt.Errorf("version %q is not understood: want =1.2, ==1.2.3, >=1.2 or several with commas between", part)
		}
	}
	return strings.Join(parts, ","), nil
}

// Options of a requirements file that stand on their own and need no other file of the user's
// (pip.pypa.io, "Requirements File Format").
var pipOptions = regexp.MustCompile(`^(--index-url|-i|--extra-index-url|--no-index|--find-links|-f|--pre|--prefer-binary|--only-binary|--no-binary|--trusted-host)\b`)

// pipName is the name that a requirement begins with (PEP 508).
var pipName = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?:$|[=<>!~;@(\s])`)

func (w *wish) addPip(line string) error {
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
		return nil
	case pipOptions.MatchString(line):
		w.requirements = append(w.requirements, line)
		return nil
	case strings.ContainsAny(line, "\n\r"):
		return fmt.Errorf("pip requirement %q: want one line", line)
	case strings.HasPrefix(line, "-"):
		return fmt.Errorf("pip requirement %q: files beside the conda file are not uploaded; list the packages themselves", line)
	case strings.Contains(line, "://") && !strings.Contains(line, "@"):
		w.requirements = append(w.requirements, line)
		return nil
	}
	match := pipName.FindStringSubmatch(line)
	if match == nil {
		return fmt.Errorf("pip requirement %q: want a name with a version, like %q", line, "numpy==1.26.4")
	}
	w.require(match[1], strings.TrimSpace(line[len(match[1]):]))
	return nil
}

// require adds one package, unless it is one that the worker takes the place of.
func (w *wish) require(name, rest string) {
	if why, replaced := servers[normalize(name)]; replaced {
		w.notes = append(w.notes, fmt.Sprintf("%s is left out: %s", normalize(name), why))
		return
	}
	w.requirements = append(w.requirements, normalize(name)+rest)
}

var separators = regexp.MustCompile(`[-_.]+`)

// normalize is the form in which PyPI compares names (PEP 503).
func normalize(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}
