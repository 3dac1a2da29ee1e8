package gate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hotswap/internal/online"
)

// checkout is a repository of the test's own.
type checkout struct {
	*testing.T
	dir string
}

func newCheckout(t *testing.T) checkout {
	c := checkout{t, t.TempDir()}
	c.git("init", "-q", "-b", "main")
	c.write("src/score.py", "one\n")
	c.write("docs/a.md", "a\n")
	c.commit("first")
	return c
}

func (c checkout) git(args ...string) string {
	c.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c checkout) write(name, text string) {
	c.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(c.dir, name)), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

func (c checkout) commit(message string) string {
	c.Helper()
	c.git("add", "-A")
	c.git("commit", "-q", "-m", message)
	return c.git("rev-parse", "HEAD")
}

func (c checkout) open() *Repository {
	c.Helper()
	r, err := OpenRepository(c.Context(), filepath.Join(c.dir, "src"))
	if err != nil {
		c.Fatal(err)
	}
	return r
}

// changed requires which files an event changes.
func (c checkout) changed(e Event, want ...string) {
	c.Helper()
	got, err := c.open().Changed(c.Context(), e)
	slices.Sort(got)
	if err != nil || !slices.Equal(slices.Compact(got), want) {
		c.Errorf("%s changes %q, %v; want %q", e.Kind, got, err, want)
	}
}

// What a pull request changes is told with files that were moved, by both names, and removed, and
// with names of any letters; and not what its base has changed since.
func TestChanged(t *testing.T) {
	c := newCheckout(t)
	c.write("src/gone.py", "gone\n")
	base := c.commit("more")
	c.git("checkout", "-q", "-b", "change")
	c.git("mv", "src/score.py", "docs/score.py")
	c.git("rm", "-q", "src/gone.py")
	c.write("src/ümläut \"x\"\t\n.py", "new\n")
	c.write("-rf", "new\n")
	head := c.commit("change")
	c.git("checkout", "-q", "main")
	c.write("docs/b.md", "b\n")
	tip := c.commit("main goes on")
	want := []string{"-rf", "docs/score.py", "src/gone.py", "src/score.py", "src/ümläut \"x\"\t\n.py"}
	c.changed(Event{Kind: Open, PullRequest: 1, Base: base, Head: head}, want...)
	c.changed(Event{Kind: Open, PullRequest: 1, Base: tip, Head: head}, want...)
	c.changed(Event{Kind: Queued, Base: base, Head: head}, want...)
	c.changed(Event{Kind: Dispatched, Head: head})

	c.git("merge", "-q", "--no-ff", "-m", "merge", "change")
	merge := c.git("rev-parse", "HEAD")
	c.changed(Event{Kind: Merged, PullRequest: 1, Base: tip, Head: head, Merge: merge}, want...)
	c.changed(Event{Kind: Merged, PullRequest: 1, Base: merge, Head: head, Merge: merge}, want...) // a base that has the merge already
	r := c.open()
	if !r.Contains(t.Context(), merge, head) || r.Contains(t.Context(), head, merge) || r.Contains(t.Context(), merge, "main") {
		t.Error("which commit contains which is told wrong")
	}
	_, err := r.Changed(t.Context(), Event{Kind: Open, PullRequest: 1, Base: base, Head: headA})
	if online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), "fetch-depth: 0") {
		t.Errorf("a commit that is not there: %v", err)
	}
}

// A checkout without its history says what to do.
func TestShallow(t *testing.T) {
	c := newCheckout(t)
	c.write("docs/b.md", "b\n")
	c.commit("second")
	shallow := t.TempDir()
	c.git("clone", "-q", "--depth", "1", "file://"+c.dir, shallow)
	_, err := OpenRepository(t.Context(), shallow)
	if online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), "fetch-depth: 0") {
		t.Errorf("opened a shallow checkout: %v", err)
	}
	if _, err := OpenRepository(t.Context(), t.TempDir()); online.CodeOf(err) != online.Invalid {
		t.Errorf("opened no checkout: %v", err)
	}
}

// The digest is that of the gated files, and a file is shown as it was at a commit.
func TestSourcesAndShow(t *testing.T) {
	c := newCheckout(t)
	first := c.git("rev-parse", "HEAD")
	gated, err := NewPaths([]string{"src/**"})
	if err != nil {
		t.Fatal(err)
	}
	sum := func() string {
		s, err := c.open().Sources(t.Context(), gated)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := sum()
	c.write("docs/a.md", "b\n")
	c.commit("docs")
	if sum() != before {
		t.Error("a file that is not gated changes the digest")
	}
	c.write("src/score.py", "two\n")
	c.commit("code")
	if sum() == before {
		t.Error("a gated file does not change the digest")
	}
	text, there, err := c.open().Show(t.Context(), first, "src/score.py")
	if err != nil || !there || string(text) != "one\n" {
		t.Errorf("shown %q, %v, %v", text, there, err)
	}
	if _, there, err := c.open().Show(t.Context(), first, "hotswap.yml"); there || err != nil {
		t.Errorf("a file that is not there: %v, %v", there, err)
	}
	if name, err := c.open().Below(filepath.Join(c.dir, "src", "score.py")); err != nil || name != "src/score.py" {
		t.Errorf("below the root it is %q, %v", name, err)
	}
	if _, err := c.open().Below("/etc/passwd"); online.CodeOf(err) != online.Invalid {
		t.Errorf("a file elsewhere: %v", err)
	}
}

func TestPaths(t *testing.T) {
	names := []string{"a.py", "src/a.py", "src/deep/b.py", "src2/a.py", ".github/actions/x/action.yml", "docs/src/a.py", "src/a[1].py"}
	for pattern, want := range map[string]string{
		"src/**": "src/a.py src/a[1].py src/deep/b.py", "src": "src/a.py src/a[1].py src/deep/b.py", "src/": "src/a.py src/a[1].py src/deep/b.py",
		"./src/*.py": "src/a.py src/a[1].py", "/a.py": "a.py", "**/a.py": "a.py docs/src/a.py src/a.py src2/a.py", "src?/a.py": "src2/a.py",
		".github/actions/**": ".github/actions/x/action.yml", "**/deep/**": "src/deep/b.py", "src/a[1].py": "src/a[1].py", "*.py": "a.py", "*": strings.Join(sorted(names), " "),
		".": strings.Join(sorted(names), " "), "src/*/b.py": "src/deep/b.py",
	} {
		p, err := NewPaths([]string{pattern})
		if got := strings.Join(p.Gated(names), " "); err != nil || got != want {
			t.Errorf("%s matches %q, %v; want %q", pattern, got, err, want)
		}
	}
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return names
}

// TestReadEvent has the events of GitHub and Gitea, as far as they matter.
func TestReadEvent(t *testing.T) { //nolint:gocyclo // because it is a table of conditions, each of which counts
	const repo = `"repo": {"id": 1, "full_name": "o/n"}`
	pull := func(action, more, head string) string {
		return fmt.Sprintf(`{"action": %q, "number": 7, "repository": {"full_name": "o/n", "default_branch": "trunk"}, "pull_request": {"number": 7, "state": "open", %s
			"updated_at": "2026-01-02T12:00:00Z", "head": {"ref": "x", "sha": %q, %s}, "base": {"ref": "main", "sha": %q, %s}}}`, action, more, headA, head, mainA, repo)
	}
	tests := map[string]struct {
		name, text string
		want       func(Event) bool
		says       string
	}{
		"opened": {"pull_request", pull("opened", "", repo), func(e Event) bool {
			return e.Kind == Open && e.PullRequest == 7 && !e.Fork && e.Head == headA && e.Updated.Equal(noon)
		}, ""},
		"pushed, on Gitea":    {"pull_request", pull("synchronized", "", repo), func(e Event) bool { return e.Kind == Open }, ""},
		"a draft":             {"pull_request", pull("opened", `"draft": true,`, repo), func(e Event) bool { return e.Draft }, ""},
		"a fork":              {"pull_request", pull("opened", "", `"repo": {"id": 2, "full_name": "o/n"}`), func(e Event) bool { return e.Fork }, ""},
		"a fork, by name":     {"pull_request", pull("opened", "", `"repo": {"full_name": "p/n"}`), func(e Event) bool { return e.Fork }, ""},
		"a fork that is gone": {"pull_request", pull("opened", "", `"repo": null`), func(e Event) bool { return e.Fork }, ""},
		"closed":              {"pull_request", pull("closed", "", repo), func(e Event) bool { return e.Kind == Closed }, ""},
		"merged":              {"pull_request", pull("closed", `"merged": true, "merge_commit_sha": "`+headB+`",`, repo), func(e Event) bool { return e.Kind == Merged && e.main() == headB }, ""},
		"merged, old Gitea":   {"pull_request", pull("closed", `"merged": true, "merged_commit_id": "`+headB+`",`, repo), func(e Event) bool { return e.Merge == headB }, ""},
		"merged, on Gitea":    {"pull_request", pull("closed", `"merged": true, "merge_commit_sha": "`+headB+`", "merge_base": "`+mainA+`",`, repo), func(e Event) bool { return e.MergeBase == mainA }, ""},
		"merged, no commit":   {"pull_request", pull("closed", `"merged": true,`, repo), nil, "no commit of the merge"},
		"an option for git":   {"pull_request", strings.Replace(pull("opened", "", repo), headA, "--upload-pack=x", 1), nil, "no head commit"},
		"no pull request":     {"pull_request", `{}`, nil, "no pull request"},
		"no JSON":             {"pull_request", `x`, nil, "not JSON"},
		"a merge queue":       {"merge_group", `{"merge_group": {"head_sha": "` + headA + `", "base_sha": "` + mainA + `", "base_ref": "refs/heads/main"}}`, func(e Event) bool { return e.Kind == Queued && e.BaseBranch == "main" }, ""},
		"no merge group":      {"merge_group", `{}`, nil, "no merge group"},
		"by hand": {"workflow_dispatch", `{"repository": {"default_branch": "trunk"}}`, func(e Event) bool {
			return e.Kind == Dispatched && e.Branch == "x" && e.Head == headB && e.DefaultBranch == "trunk"
		}, ""},
		"a fork's trap": {"pull_request_target", pull("opened", "", repo), nil, "use pull_request"},
		"a push":        {"push", `{}`, nil, "want pull_request"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := ReadEvent(Run{Name: tt.name, SHA: headB, Ref: "refs/heads/x"}, []byte(tt.text))
			switch {
			case tt.want == nil && (online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("%v, want %q", err, tt.says)
			case tt.want != nil && (err != nil || !tt.want(e)):
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}
