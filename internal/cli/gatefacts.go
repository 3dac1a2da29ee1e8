package cli

import (
	"cmp"
	"context"
	"path"
	"path/filepath"
	"strings"

	"hotswap/internal/gate"
	"hotswap/internal/rollout"
	"hotswap/internal/spec"
)

// facts are those that need no workspace: what the event changes of the paths that are gated.
func (f *gateFlags) facts(ctx context.Context, s *session, git *gate.Repository, e gate.Event) (facts gate.Facts, paths gate.Paths, err error) {
	facts = gate.Facts{Event: e, By: s.by(), Run: s.runURL()}
	if paths, err = f.paths(ctx, s, git, e); err != nil {
		return facts, paths, err
	}
	names, err := git.Changed(ctx, e)
	if err != nil {
		return facts, paths, err
	}
	facts.Changed = paths.Gated(names)
	facts.Sources, err = git.Sources(ctx, paths)
	return facts, paths, err
}

// by names who runs this: whose push or click began the run, else who sits here.
func (s *session) by() string {
	return cmp.Or(s.Getenv("GITHUB_ACTOR"), rollout.Self().Name)
}

func (s *session) runURL() string {
	if f := s.forge(); f != nil {
		return f.URL
	}
	return ""
}

// paths are those of the base commit's settings, so that no pull request takes itself out of the
// gate; and the files that say what is deployed, whatever they are.
func (f *gateFlags) paths(ctx context.Context, s *session, git *gate.Repository, e gate.Event) (gate.Paths, error) {
	var own []string
	for _, file := range []string{f.endpointFile, f.deploymentFile} {
		name, err := git.Below(s.path(file))
		if err != nil {
			return gate.Paths{}, err
		}
		own = append(own, name)
	}
	configs := []string{path.Join(path.Dir(own[0]), spec.ConfigName)}
	if here, err := git.Below(s.path(spec.ConfigName)); err == nil && here != configs[0] {
		configs = append(configs, here)
	}
	given, err := basePaths(ctx, s, git, cmp.Or(e.Base, e.Head), configs)
	if err != nil {
		return gate.Paths{}, err
	}
	if given == nil {
		given = []string{path.Dir(own[0]), path.Dir(own[1]), ".github/actions/**", s.workflowFile()}
		given = append(given, f.sources(s, git)...)
	}
	return gate.NewPaths(unique(append(append(given, own...), configs...)))
}

// basePaths are the paths of the first of the files that the base commit has; nil where they say none.
func basePaths(ctx context.Context, s *session, git *gate.Repository, base string, configs []string) ([]string, error) {
	for _, name := range configs {
		text, there, err := git.Show(ctx, base, name)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		settings, err := spec.ParseConfig(name+" of the base commit", text)
		if err != nil { // a pull request may be about to mend it
			s.say("%v: the default paths count", err)
			return nil, nil
		}
		for _, set := range settings {
			if set.Key == "paths" {
				return strings.Split(set.Value, spec.PathSeparator), nil
			}
		}
		return nil, nil
	}
	return nil, nil
}

// workflowFile is the file of the workflow that runs this, or those of all.
func (s *session) workflowFile() string {
	ref := s.Getenv("GITHUB_WORKFLOW_REF") // owner/name/.github/workflows/file.yml@ref
	if _, below, ok := strings.Cut(strings.TrimPrefix(ref, s.Getenv("GITHUB_REPOSITORY")), "/"); ok {
		if file, _, ok := strings.Cut(below, "@"); ok && strings.Contains(file, "/workflows/") {
			return file
		}
	}
	return ".github/workflows/**"
}

// sources are the folders and files of the deployment's file that lie elsewhere in the checkout.
func (f *gateFlags) sources(s *session, git *gate.Repository) (names []string) {
	d, err := spec.ReadDeployment(s.path(f.deploymentFile))
	if err != nil {
		return nil // it was read before, and its faults told
	}
	files := []string{d.CodeDir}
	if d.LocalModel != nil {
		files = append(files, d.LocalModel.Path)
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		if name, err := git.Below(filepath.Clean(file)); err == nil {
			names = append(names, name)
		}
	}
	return names
}

func unique(words []string) []string {
	seen := map[string]bool{}
	var kept []string
	for _, w := range words {
		if !seen[w] {
			kept = append(kept, w)
		}
		seen[w] = true
	}
	return kept
}
