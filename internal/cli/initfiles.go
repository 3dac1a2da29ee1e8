package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"hotswap"
	"hotswap/examples"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// The names of a model's files.
const (
	endpointFile   = "endpoint.yml"
	deploymentFile = "deployment.yml"
	testsFile      = "tests.yml"
)

// sample is the folder of the embedded sample.
const sample = "taxi-fare"

// initFile is a file that init writes, or leaves.
type initFile struct {
	Path string `json:"path"` // within the repository, with slashes
	Fate string `json:"fate"`

	text []byte
	was  []byte // nil where there is none
}

// The fates of a file.
const (
	written  = "written"
	replaced = "replaced"
	kept     = "kept"
	same     = "unchanged"
)

// files is all that init has to do with, each with its fate: replaced is what may be in the way.
func (p *team) files() ([]initFile, error) {
	var files []initFile
	if err := p.collect(&files, hotswap.GitHub, ".github", ".github", true); err != nil {
		return nil, err
	}
	more := func() error { return p.collect(&files, examples.TaxiFare, sample, p.folder, false) }
	if p.theirs {
		more = func() error { return p.ownTests(&files) }
	}
	err := more()
	return files, err
}

// collect adds the files of an embedded folder. What is the team's own is only ever written anew.
func (p *team) collect(files *[]initFile, from fs.FS, dir, to string, ours bool) error {
	return fs.WalkDir(from, dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		return p.add(files, path.Join(to, strings.TrimPrefix(name, dir+"/")), p.fill(text), ours)
	})
}

// add decides what becomes of a file.
func (p *team) add(files *[]initFile, name string, text []byte, ours bool) error {
	f := initFile{Path: name, Fate: written, text: text}
	was, err := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(name)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return online.Errorf(online.Invalid, "look what is there: %w", err)
	case string(was) == string(text):
		f.Fate = same
	case ours:
		f.Fate, f.was = replaced, was
	default:
		f.Fate = kept
	}
	*files = append(*files, f)
	return nil
}

// requests are the names that teams give their sample request, the reference's first.
var requests = []string{"scoring_test_request.json", "sample-request.json", "request.json"}

// ownTests gives an endpoint that is there the settings and the tests that it lacks.
func (p *team) ownTests(files *[]initFile) error {
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(p.dir, filepath.FromSlash(p.folder), name))
		return err == nil
	}
	settings := "# The settings of every rollout of this endpoint; hotswap config schema has what there is.\nwait: 30m\n"
	request := ""
	for _, name := range requests {
		if request == "" && there(name) {
			request = name
		}
	}
	if request == "" && !there(testsFile) {
		settings += "# tests: tests.yml #setup: what a candidate must pass before it gets any traffic; without it nothing goes live\n"
	} else {
		settings += "tests: tests.yml\n"
	}
	if err := p.add(files, path.Join(p.folder, spec.ConfigName), []byte(settings), false); err != nil || request == "" {
		return err
	}
	suite := fmt.Sprintf("# What a candidate must pass before it gets any traffic.\ncases:\n- name: the sample request\n"+
		"  request_file: %s\n  expect:\n    status: 200 #setup: say what the answer must be, by answer_file or schema\n", request)
	return p.add(files, path.Join(p.folder, testsFile), []byte(suite), false)
}

// setupLine is a line that a team has to look at: a key, its value and the mark.
var setupLine = regexp.MustCompile(`(?m)^([ -]*)([A-Za-z_]+): .*?( +#setup.*)$`)

// githubLine is a line that other forges don't know: Forgejo's runner refuses a file for it.
var githubLine = regexp.MustCompile(`(?m)^.* # GitHub only\n`)

// fill puts the team's names in the place of the sample's.
func (p *team) fill(text []byte) []byte {
	in := func(name string) string { return path.Join(p.folder, name) }
	values := map[string]string{
		"group": p.queue(), "RESOURCE_GROUP": p.group, "WORKSPACE_NAME": p.workspace,
		"ENDPOINT_FILE": in(endpointFile), "DEPLOYMENT_FILE": in(deploymentFile), "environment": p.environment,
		"TRAINING": in("train.py"), "MODEL": p.model, "ENDPOINT": p.endpoint,
		"name": p.endpoint, "endpoint_name": p.endpoint, "model": "azureml:" + p.model + "@latest",
	}
	if p.forge != githubForge {
		text = githubLine.ReplaceAll(text, nil)
	}
	return setupLine.ReplaceAllFunc(text, func(line []byte) []byte {
		part := setupLine.FindSubmatch(line)
		value, ours := values[string(part[2])]
		if !ours {
			return line
		}
		return fmt.Appendf(nil, "%s%s: %s%s", part[1], part[2], scalar(value), part[3])
	})
}

// queue names what keeps runs from each other's way. Gitea and Forgejo know no queue: of those that
// wait in one group they cancel all but the newest, and with it a check that is required, or the run
// that restores main. There it is one group a pull request, and the endpoint's lock keeps order.
func (p *team) queue() string {
	group := "hotswap-" + strings.ToLower(p.endpoint)
	if p.forge == githubForge {
		return group
	}
	return group + "-${{ github.event.number }}"
}

// What YAML takes as text without quotes: this, but for words that some version of it takes otherwise.
var (
	plainScalar = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_./:@-]*[A-Za-z0-9])?$`)
	otherScalar = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`)
)

// scalar is a value as YAML has it; it holds no character that double quotes would change.
func scalar(value string) string {
	if plainScalar.MatchString(value) && !otherScalar.MatchString(value) {
		return value
	}
	return `"` + value + `"`
}

// writeAll writes the files, or none where one is in the way.
func writeAll(dir string, files []initFile, force bool) error {
	var inTheWay []string
	for _, f := range files {
		if f.Fate == replaced && !force {
			inTheWay = append(inTheWay, f.Path)
		}
	}
	if len(inTheWay) > 0 {
		return online.Errorf(online.Invalid, "these files are there and differ from what would be written: %s; nothing was written: "+
			"save what is yours in them, and replace them with --force", strings.Join(inTheWay, ", "))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return online.Errorf(online.Invalid, "write into %s: %w", dir, err)
	}
	defer func() { _ = root.Close() }()
	for _, f := range files {
		if f.Fate != written && f.Fate != replaced {
			continue
		}
		name := filepath.FromSlash(f.Path)
		err := root.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil {
			err = root.WriteFile(name, f.text, 0o644)
		}
		if err != nil {
			return online.Errorf(online.Invalid, "write %s: %w", f.Path, err)
		}
	}
	return nil
}
