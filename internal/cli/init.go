package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// newInit makes a repository deliver its model.
func newInit(s *session) *cobra.Command {
	var (
		p     team
		force bool
	)
	c := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Add the pull request's workflow to a repository",
		Long: `Init writes the workflows and actions that deliver a model from pull requests into a repository, and
where there are none yet endpoint.yml, deployment.yml, hotswap.yml, tests.yml and a sample model with its
score.py. Files of yours stay as they are. A workflow or an action that is there and differs is in the way:
then nothing is written, unless --force replaces it. Lines to edit are marked with #setup.
What is not given by a flag is asked for on a terminal.`,
		Example: `  hotswap init
  hotswap init -e taxi-fare -g my-group -w my-workspace
  hotswap init ../fares -e taxi-fare -g hotswap -w local --forge gitea --force`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p.dir = s.path(strings.Join(args, ""))
			if err := p.find(s); err != nil {
				return err
			}
			files, err := p.files()
			if err != nil {
				return err
			}
			if err := writeAll(p.dir, files, force); err != nil {
				return err
			}
			return s.printInit(p, files)
		},
	}
	f := c.Flags()
	f.StringVarP(&p.endpoint, "endpoint-name", "e", "", "`NAME` of the endpoint (default: that of endpoint.yml)")
	f.StringVarP(&p.group, "resource-group", "g", "", "`NAME` of the workspace's resource group")
	f.StringVarP(&p.workspace, "workspace-name", "w", "", "`NAME` of the Azure ML workspace")
	f.StringVar(&p.model, "model", "", "`NAME` of the registered model (default: the endpoint's)")
	f.StringVar(&p.environment, "environment", "", "`NAME` of the forge's environment, which the OIDC login has in its subject (default: production)")
	f.StringVar(&p.forge, "forge", githubForge, "`FORGE` that the repository is on: github, gitea or forgejo")
	f.StringVar(&p.folder, "folder", "", "`DIR` of the model's files in the repository (default: where endpoint.yml is, else scoring)")
	f.BoolVar(&force, "force", false, "replace workflows and actions that are there")
	return c
}

const githubForge = "github"

// team is what a repository's files are filled in with.
type team struct {
	dir    string // of the repository
	folder string // of the model's files, below dir, with slashes
	theirs bool   // endpoint.yml was there already

	endpoint, group, workspace, model, environment, forge string
}

// find completes what the flags say, from the files that are there and from the terminal.
func (p *team) find(s *session) error {
	info, err := os.Stat(p.dir)
	if err != nil || !info.IsDir() {
		return usagef("%s is no folder", p.dir)
	}
	if !slices.Contains([]string{githubForge, "gitea", "forgejo"}, p.forge) {
		return usagef("--forge is %q, want github, gitea or forgejo", p.forge)
	}
	if err := p.findFolder(); err != nil {
		return err
	}
	if err := p.findEndpoint(); err != nil {
		return err
	}
	if err := p.ask(s); err != nil {
		return err
	}
	return p.check()
}

// findFolder finds where the model's files are, or go.
func (p *team) findFolder() error {
	if p.folder != "" {
		p.folder = path.Clean(filepath.ToSlash(p.folder))
		if !filepath.IsLocal(p.folder) {
			return usagef("--folder is %q, want a folder within the repository", p.folder)
		}
		return nil
	}
	var found []string
	err := filepath.WalkDir(p.dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && name != p.dir && (strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules"):
			return fs.SkipDir
		case e.Name() == endpointFile:
			rel, err := filepath.Rel(p.dir, filepath.Dir(name))
			found = append(found, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	switch {
	case err != nil:
		return online.Errorf(online.Invalid, "look for %s: %w", endpointFile, err)
	case len(found) > 1:
		return usagef("there is more than one %s, in %s: say which with --folder", endpointFile, strings.Join(found, ", "))
	}
	p.folder = cmp.Or(strings.Join(found, ""), "scoring")
	return nil
}

// findEndpoint takes the names from the files of an endpoint that is there.
func (p *team) findEndpoint() error {
	file := filepath.Join(p.dir, filepath.FromSlash(p.folder), endpointFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	e, err := spec.ReadEndpoint(file)
	if err != nil {
		return err
	}
	if p.endpoint != "" && p.endpoint != e.Name {
		return usagef("--endpoint-name is %q, but %s describes %q", p.endpoint, path.Join(p.folder, endpointFile), e.Name)
	}
	p.endpoint, p.theirs = e.Name, true
	d, err := spec.ReadDeployment(filepath.Join(filepath.Dir(file), deploymentFile))
	if err == nil && p.model == "" {
		p.model = d.Model.Name
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ask asks for what is still not known, and takes the defaults where nobody can be asked.
func (p *team) ask(s *session) error {
	in, is := s.Stdin.(*os.File)
	terminal := is && term.IsTerminal(int(in.Fd()))
	answers := bufio.NewReader(s.Stdin)
	var missing []string
	for _, q := range []struct {
		value                *string
		what, flag, fallback string
	}{
		{&p.endpoint, "name of the endpoint", "--endpoint-name", ""},
		{&p.group, "resource group of the workspace", "--resource-group", ""},
		{&p.workspace, "name of the workspace", "--workspace-name", ""},
		{&p.model, "name of the registered model", "--model", ""},
		{&p.environment, "environment of the forge", "--environment", "production"},
	} {
		if q.value == &p.model {
			q.fallback = p.endpoint // which may have just been asked for
		}
		if *q.value == "" && terminal {
			fmt.Fprintf(s.Stderr, "%s [%s]: ", q.what, q.fallback)
			line, _ := answers.ReadString('\n') // at the end of the input the default is taken
			*q.value = strings.TrimSpace(line)
		}
		if *q.value = cmp.Or(*q.value, q.fallback); *q.value == "" {
			missing = append(missing, q.flag)
		}
	}
	if len(missing) > 0 {
		return usagef("not given, and there is no terminal to ask on: %s", strings.Join(missing, ", "))
	}
	return nil
}

// What names may hold: the files that they go into are YAML, and read by a shell's commands.
// Resource groups: learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules.
var (
	groupForm  = regexp.MustCompile(`^[\p{L}\p{N}_().-]{0,89}[\p{L}\p{N}_()-]$`)
	nameForm   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$`)
	folderForm = regexp.MustCompile(`^[a-zA-Z0-9_.][a-zA-Z0-9_./-]*$`)
)

func (p *team) check() error {
	if err := online.CheckName("endpoint", p.endpoint); err != nil {
		return err
	}
	for _, v := range []struct {
		flag, value string
		form        *regexp.Regexp
	}{
		{"--resource-group", p.group, groupForm},
		{"--workspace-name", p.workspace, nameForm},
		{"--model", p.model, nameForm},
		{"--environment", p.environment, nameForm},
		{"--folder", p.folder, folderForm},
	} {
		if !v.form.MatchString(v.value) {
			return usagef("%s is %q, want letters, digits, hyphens, underscores and dots", v.flag, v.value)
		}
	}
	return nil
}
