package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"hotswap/internal/online"
)

// Repository is a checkout of git.
type Repository struct {
	root string
}

// OpenRepository finds the checkout that dir is in. It must have all of the history.
func OpenRepository(ctx context.Context, dir string) (*Repository, error) {
	r := &Repository{root: dir}
	root, err := r.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, online.Errorf(online.Invalid, "%s is in no checkout of git: check the repository out first: %w", dir, err)
	}
	r.root = strings.TrimSuffix(string(root), "\n")
	shallow, err := r.git(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(shallow)) == "true" {
		return nil, online.Errorf(online.Invalid, "the checkout is shallow, so what a pull request changes can't be told: check out with fetch-depth: 0, or run git fetch --unshallow")
	}
	return r, nil
}

// git runs one command that only reads. Its arguments are ours, or commits' ids.
func (r *Repository) git(ctx context.Context, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, "git", append([]string{"--no-optional-locks", "-c", "core.quotePath=false"}, args...)...)
	c.Dir = r.root
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		if why := strings.TrimSpace(stderr.String()); why != "" {
			err = errors.New(why)
		}
		return nil, online.Errorf(online.Conflict, "git %s: %w", args[0], err)
	}
	return out, nil
}

// Below is the name of a file from the root of the repository.
func (r *Repository) Below(file string) (string, error) {
	full, err := filepath.Abs(file)
	if err != nil {
		return "", online.Errorf(online.Invalid, "find %s in the checkout: %w", file, err)
	}
	real, err := filepath.EvalSymlinks(filepath.Dir(full))
	if err != nil {
		return "", online.Errorf(online.Invalid, "find %s in the checkout: %w", file, err)
	}
	root, err := filepath.EvalSymlinks(r.root)
	if err != nil {
		return "", online.Errorf(online.Invalid, "find the checkout: %w", err)
	}
	name, err := filepath.Rel(root, filepath.Join(real, filepath.Base(file)))
	if err != nil || !filepath.IsLocal(name) {
		return "", online.Errorf(online.Invalid, "%s is not in the checkout %s", file, r.root)
	}
	return filepath.ToSlash(name), nil
}

// Show is the text of a file at a commit; false where it has no such file.
func (r *Repository) Show(ctx context.Context, commit, name string) ([]byte, bool, error) {
	found, err := r.git(ctx, "ls-tree", "-z", "--full-tree", commit, "--", path.Clean(name))
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	text, err := r.git(ctx, "cat-file", "blob", commit+":"+path.Clean(name))
	return text, err == nil, err
}

// Changed lists the files that the event changes: those of a pull request since it left its base,
// with those that the merge itself has brought, and those of a merge group. A file that was moved
// is there by both of its names. What is closed
// unmerged is undone without its commits, which are gone with its branch.
func (r *Repository) Changed(ctx context.Context, e Event) ([]string, error) {
	switch e.Kind {
	case Dispatched:
		return nil, nil
	case Closed:
		if r.has(ctx, e, e.Base) != nil || r.has(ctx, e, e.Head) != nil {
			return nil, nil
		}
	case Merged:
		return r.merged(ctx, e)
	}
	for _, commit := range []string{e.Base, e.Head} {
		if err := r.has(ctx, e, commit); err != nil {
			return nil, err
		}
	}
	if e.Kind == Queued {
		return r.diff(ctx, e.Base, e.Head)
	}
	return r.since(ctx, e.Base, e.Head)
}

// merged lists the files of a merged pull request. Its branch may be deleted, and of a squash or a
// rebase no other has its commits: then it is what main has got since the pull request's base.
func (r *Repository) merged(ctx context.Context, e Event) ([]string, error) {
	base := e.Base
	if e.MergeBase != "" && r.has(ctx, e, e.MergeBase) == nil {
		base = e.MergeBase
	}
	for _, commit := range []string{base, e.Merge} {
		if err := r.has(ctx, e, commit); err != nil {
			return nil, err
		}
	}
	head := e.Head
	if r.has(ctx, e, head) != nil {
		head = e.Merge
	}
	names, err := r.since(ctx, base, head)
	if err != nil {
		return nil, err
	}
	brought, err := r.diff(ctx, e.Merge+"^1", e.Merge)
	return append(names, brought...), err
}

// has makes sure that the checkout has a commit.
func (r *Repository) has(ctx context.Context, e Event, commit string) error {
	if _, err := r.git(ctx, "cat-file", "-e", commit+"^{commit}"); err != nil {
		return online.Errorf(online.Invalid, "commit %s of %s is not in the checkout: check out with fetch-depth: 0: %w", short(commit), e, err)
	}
	return nil
}

// since lists what has changed to head since it left base.
func (r *Repository) since(ctx context.Context, base, head string) ([]string, error) {
	from, err := r.git(ctx, "merge-base", base, head)
	if err != nil {
		return nil, online.Errorf(online.Invalid, "commit %s and its base %s have no history in common: %w", short(head), short(base), err)
	}
	return r.diff(ctx, strings.TrimSpace(string(from)), head)
}

func (r *Repository) diff(ctx context.Context, from, to string) ([]string, error) {
	out, err := r.git(ctx, "diff", "--name-only", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", "-z", from, to, "--")
	return split(out), err
}

// Sources is the digest of the gated files of what is checked out.
func (r *Repository) Sources(ctx context.Context, gated Paths) (string, error) {
	out, err := r.git(ctx, "ls-tree", "-r", "-z", "--full-tree", "HEAD")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, entry := range split(out) {
		if _, name, ok := strings.Cut(entry, "\t"); ok && len(gated.Gated([]string{name})) > 0 {
			sum.Write([]byte(entry + "\x00"))
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Contains reports whether commit b is before a, or a itself; false where one of them is not known.
func (r *Repository) Contains(ctx context.Context, a, b string) bool {
	if !isCommit(a) || !isCommit(b) {
		return false
	}
	_, err := r.git(ctx, "merge-base", "--is-ancestor", b, a)
	return err == nil
}

// Head is the commit that is checked out.
func (r *Repository) Head(ctx context.Context) (string, error) {
	out, err := r.git(ctx, "rev-parse", "HEAD")
	return strings.TrimSpace(string(out)), err
}

func split(out []byte) []string {
	var names []string
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}
