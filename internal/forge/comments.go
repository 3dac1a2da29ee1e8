package forge

import (
	"context"
	"strings"

	"hotswap/internal/online"
)

// longestComment is GitHub's limit, in characters; Gitea has none.
const longestComment = 65536

type wireComment struct {
	ID   int64     `json:"id"`
	Body *string   `json:"body"`
	User *wireUser `json:"user"`
}

// Comment writes a comment on a pull request, or edits the one that it wrote before: that of this
// token's user which begins with the marker, hidden in an HTML comment. Others who put the marker
// into theirs are left alone.
func (r *Repository) Comment(ctx context.Context, n int, marker, markdown string) error {
	first := "<!-- " + marker + " -->"
	text := cut(first+"\n"+markdown, longestComment)
	own, err := r.ownComments(ctx, n, first)
	if err != nil {
		return err
	}
	edited, err := r.edit(ctx, own, text)
	if edited || err != nil {
		return err
	}
	err = r.call(ctx, request{op: createComment, at: []any{n}, in: map[string]string{"body": text}})
	if online.CodeOf(err) != online.Unavailable || err == nil {
		return err
	}
	// The answer was lost: the comment may be there.
	own, again := r.ownComments(ctx, n, first)
	if again != nil || len(own) == 0 {
		return err
	}
	_, err = r.edit(ctx, own, text)
	return err
}

// edit changes the first of the comments that it may.
func (r *Repository) edit(ctx context.Context, own []wireComment, text string) (done bool, err error) {
	for _, c := range own {
		if sameText(*c.Body, text) {
			return true, nil
		}
		err := r.call(ctx, request{op: editComment, at: []any{c.ID}, in: map[string]string{"body": text}})
		switch code := online.CodeOf(err); {
		case err == nil:
			return true, nil
		case code != online.Forbidden && code != online.NotFound: // another app's, or deleted meanwhile
			return false, err
		}
	}
	return false, nil
}

// ownComments returns the comments that begin with a marker and are this token's.
func (r *Repository) ownComments(ctx context.Context, n int, first string) ([]wireComment, error) {
	var marked, own []wireComment
	for page, err := range pages[[]wireComment](ctx, r, request{op: listComments, at: []any{n}, query: r.perPage(nil)}) {
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			if c.Body != nil && c.User != nil && strings.HasPrefix(*c.Body, first) {
				marked = append(marked, c)
			}
		}
	}
	if len(marked) == 0 {
		return nil, nil
	}
	self, err := r.self(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range marked {
		if self(c.User) {
			own = append(own, c)
		}
	}
	return own, nil
}

// self tells the token's own user from others. The token of a GitHub app, of which the built-in
// one is an example, may not ask who it is; there every app may be it, and GitHub lets one edit
// its own comments only, unless it is given more.
func (r *Repository) self(ctx context.Context) (func(*wireUser) bool, error) {
	var me wireUser
	err := r.call(ctx, request{op: getUser, out: &me})
	switch {
	case err == nil:
		return func(u *wireUser) bool { return u.ID == me.ID }, nil
	case r.kind == GitHub && online.CodeOf(err) == online.Forbidden:
		return func(u *wireUser) bool { return u.Type == "Bot" }, nil
	}
	return nil, err
}
