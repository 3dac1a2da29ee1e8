package gate

import "testing"

// What a merge has brought is told however it was merged, and also where the branch was deleted
// and the checkout has its commits no more.
func TestChangedByMerge(t *testing.T) {
	c := newCheckout(t)
	base := c.git("rev-parse", "HEAD")
	c.git("checkout", "-q", "-b", "change")
	c.write("src/score.py", "two\n")
	gated := c.commit("gated")
	c.write("docs/a.md", "b\n")
	head := c.commit("docs")
	want := []string{"docs/a.md", "src/score.py"}

	c.git("checkout", "-q", "-b", "squashed", base)
	c.git("merge", "-q", "--squash", "change")
	squash := c.commit("squashed")
	c.changed(Event{Kind: Merged, PullRequest: 1, Base: base, Head: head, Merge: squash}, want...)
	c.changed(Event{Kind: Merged, PullRequest: 1, Base: base, Head: headA, Merge: squash}, want...) // its branch is deleted
	c.changed(Event{Kind: Merged, PullRequest: 1, Base: squash, Head: headA, Merge: squash}, want...)

	c.git("checkout", "-q", "-b", "rebased", base)
	c.write("README.md", "main goes on\n")
	c.commit("main goes on")
	c.git("cherry-pick", gated, head)
	rebased := c.git("rev-parse", "HEAD")
	c.changed(Event{Kind: Merged, PullRequest: 1, Base: base, Head: head, Merge: rebased}, want...)
	c.changed(Event{Kind: Merged, PullRequest: 1, Base: rebased, MergeBase: base, Head: head, Merge: rebased}, want...)
	c.changed(Event{Kind: Merged, PullRequest: 1, Base: base, Head: headA, Merge: rebased}, append([]string{"README.md"}, want...)...)

	// Forwarded, as Gitea does: its base is the merge itself.
	c.changed(Event{Kind: Merged, PullRequest: 1, Base: head, MergeBase: base, Head: head, Merge: head}, want...)

	c.changed(Event{Kind: Closed, PullRequest: 1, Base: base, Head: head}, want...)
	c.changed(Event{Kind: Closed, PullRequest: 1, Base: base, Head: headA}) // its branch is deleted
}
