package rollout

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// Change is one thing in which the candidate differs from what is live.
type Change struct {
	What      string   `json:"what"`
	Live      string   `json:"live,omitempty"`
	Candidate string   `json:"candidate,omitempty"`
	Lines     []string `json:"lines,omitempty"` // in detail: files, or lines of a file
}

// compare fills in what the candidate is, and in what it differs from live.
func (o *outlook) compare(ctx context.Context, p *Preview, salt []byte) error {
	d, model, err := o.candidate()
	if err != nil {
		return err
	}
	code, err := o.codeOf(ctx)
	if err != nil {
		return err
	}
	env, err := o.environmentOf(ctx)
	if err != nil {
		return err
	}
	if p.Variables, err = variables(d.Variables, salt); err != nil {
		return err
	}
	p.Candidate = slices.Concat(settings(d), []Fact{
		{factCode, code.id(o.req.Deployment.CodeDir != "")}, {factEnvironment, env.id(o.req.Deployment.LocalEnvironment != nil)},
	})
	p.Candidate[0].Value = model
	p.Changes = []Change{}
	if live := o.plan.Former; live != nil {
		p.Changes = o.changes(ctx, *live, d, code, env)
		p.Same = Same(p.Changes, false)
	}
	return nil
}

// changes tells in what a deployment with that code and environment differs from live.
func (o *outlook) changes(ctx context.Context, live, d online.Deployment, code code, env environment) []Change {
	changes, was := []Change{}, settings(live)
	for i, now := range settings(d) {
		if now.Value != was[i].Value && !alike(now.What, was[i].Value, now.Value) {
			changes = append(changes, Change{What: now.What, Live: was[i].Value, Candidate: now.Value})
		}
	}
	changes = append(changes, o.codeChange(ctx, live.Code.Code, code)...)
	changes = append(changes, o.environmentChange(ctx, live.Environment, env)...)
	return append(changes, variableChange(ownVariables(live.Variables, d.Variables), d.Variables)...)
}

// alike reports whether two values of a fact differ in their case alone, where that means nothing.
func alike(what, a, b string) bool { return what == "instance type" && strings.EqualFold(a, b) }

// codeChange tells file by file in what the code differs from live's.
func (o *outlook) codeChange(ctx context.Context, was online.Ref, now code) []Change {
	if was == now.Ref {
		return nil
	}
	live := o.registered(ctx, was)
	if live.Hash != "" && live.Hash == now.Hash {
		return nil // the same files, registered twice
	}
	c := Change{What: factCode, Live: live.name, Candidate: now.name}
	switch {
	case live.unknown != "":
		c.Lines = []string{"what differs is not known: " + live.unknown}
	case now.unknown != "":
		c.Lines = []string{"what differs is not known: " + now.unknown}
	default:
		if c.Lines = files(live.Files, now.Files); len(c.Lines) == 0 {
			return nil
		}
	}
	return []Change{c}
}

// files tells the files that were added, removed or changed. Both are in the order of their names.
func files(live, candidate []azure.File) (lines []string) {
	was := map[string]azure.File{}
	for _, f := range live {
		was[f.Name] = f
	}
	for _, f := range candidate {
		old, there := was[f.Name]
		delete(was, f.Name)
		switch {
		case !there:
			lines = append(lines, fmt.Sprintf("added    %s (%s)", f.Name, bytesOf(f.Size)))
		case old.Size != f.Size:
			lines = append(lines, fmt.Sprintf("changed  %s (%s, was %s)", f.Name, bytesOf(f.Size), bytesOf(old.Size)))
		case old.MD5 == nil || f.MD5 == nil:
			lines = append(lines, fmt.Sprintf("unknown  %s (%s as before, and no checksum is kept of it)", f.Name, bytesOf(f.Size)))
		case !bytes.Equal(old.MD5, f.MD5):
			lines = append(lines, fmt.Sprintf("changed  %s (%s as before)", f.Name, bytesOf(f.Size)))
		}
	}
	for _, f := range live {
		if _, left := was[f.Name]; left {
			lines = append(lines, "removed  "+f.Name)
		}
	}
	return lines
}

func bytesOf(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// environmentChange tells in what the environment differs from live's.
func (o *outlook) environmentChange(ctx context.Context, was online.Ref, now environment) []Change {
	local := o.req.Deployment.LocalEnvironment != nil
	if !local && was == now.Ref {
		return nil
	}
	live := o.readEnvironment(ctx, was)
	c := Change{What: factEnvironment, Live: was.String(), Candidate: now.Ref.String()}
	if local && now.Ref.Name == "" {
		c.Candidate = "the deployment file's own"
	}
	switch {
	case live.unknown != "":
		c.Lines = []string{"what differs is not known: " + live.unknown}
	case now.unknown != "":
		c.Lines = []string{"what differs is not known: " + now.unknown}
	default:
		c.Lines = live.differs(now)
		if len(c.Lines) == 0 && local && now.Ref.Name == "" {
			return nil
		}
		if len(c.Lines) == 0 {
			c.Lines = []string{"it holds the same"}
		}
	}
	return []Change{c}
}

// differs tells what of an environment is another in now.
func (e environment) differs(now environment) (lines []string) {
	const linux = "Linux"
	for _, f := range []struct{ what, was, is string }{
		{"image", e.Image, now.Image},
		{"os type", cmp.Or(e.OSType, linux), cmp.Or(now.OSType, linux)},
		{"dockerfile", e.Dockerfile, now.Dockerfile},
		{"inference config", canonical(e.InferenceConfig), canonical(now.InferenceConfig)},
	} {
		if f.was != f.is {
			lines = append(lines, fmt.Sprintf("%s: %s, was %s", f.what, orNone(f.is), orNone(f.was)))
		}
	}
	if e.BuildContext != now.BuildContext && (now.build == "" || !strings.Contains(e.BuildContext, now.build)) {
		lines = append(lines, fmt.Sprintf("build context: %s, was %s", orNone(now.BuildContext), orNone(e.BuildContext)))
	}
	if e.CondaFile != now.CondaFile {
		lines = append(lines, "conda file:")
		lines = append(lines, diffLines(e.CondaFile, now.CondaFile)...)
	}
	return lines
}

func orNone(s string) string { return cmp.Or(s, "none") }

// variableChange names the variables that differ. Their values may be secret.
func variableChange(was, is map[string]string) []Change {
	c := Change{What: "environment variables"}
	for _, name := range sortedKeys(overlay(was, is)) {
		old, before := was[name]
		now, after := is[name]
		switch {
		case !before:
			c.Lines = append(c.Lines, "added    "+name)
		case !after:
			c.Lines = append(c.Lines, "removed  "+name)
		case old != now:
			c.Lines = append(c.Lines, "changed  "+name)
		}
	}
	if len(c.Lines) == 0 {
		return nil
	}
	return []Change{c}
}
