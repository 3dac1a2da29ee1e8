package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"hotswap/internal/online"
)

// fault is an error of a call: what was being done, where, and what became of it.
func (r *Repository) fault(q request, code online.Code, format string, args ...any) error {
	return online.Errorf(code, "%s (%s): %w", r.doing(q), r.Name(), fmt.Errorf(format, args...))
}

// doing is what a call does, with what it does it to.
func (r *Repository) doing(q request) string {
	does := calls[q.op].does
	if len(q.at) > 0 {
		does += fmt.Sprintf(" %v", q.at[0])
	}
	return does
}

// judge returns an answer that is one, or the error that it stands for.
func (r *Repository) judge(ctx context.Context, q request, a *answer, err error) (*answer, error) {
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, r.fault(q, online.Unavailable, "%s did not answer within %s", r.base.Host, tryTime)
	case err != nil:
		return nil, r.fault(q, online.Unavailable, "%s could not be reached: %w", r.base.Host, err)
	case a.status >= 300 && a.status < 400:
		return nil, r.moved(ctx, q, a)
	case a.status < 200 || a.status >= 300:
		return nil, r.refusal(q, a)
	}
	return a, nil
}

// refusal turns an answer into an error that says what to do.
func (r *Repository) refusal(q request, a *answer) error {
	said := fmt.Sprintf("%s answered %d: %s", r.kind.title(), a.status, message(a))
	code, advice := online.Internal, ""
	_, limited := limit(a, 1)
	switch s := a.status; {
	case s >= 500, limited:
		code, advice = online.Unavailable, "; try again later"
	case s == http.StatusUnauthorized:
		code, advice = online.Unauthenticated, "; the token has expired, was revoked, or is of another forge: give a new one"
	case s == http.StatusForbidden:
		code, advice = online.Forbidden, r.lacking(q)
	case s == http.StatusNotFound, s == http.StatusGone:
		code, advice = online.NotFound, "; it is not there, or the token may not see it"+r.needed(q)
	case s == http.StatusConflict, s == http.StatusLocked, s == http.StatusPreconditionFailed:
		code = online.Conflict
	case s == http.StatusRequestEntityTooLarge:
		code = online.TooLarge
	case s < 500:
		code = online.Invalid
	}
	return r.fault(q, code, "%s%s", said, advice)
}

// lacking names what the token must be given.
func (r *Repository) lacking(q request) string {
	if n := r.needed(q); n != "" {
		return "; the token may not do that" + n
	}
	return "; the token may not do that"
}

func (r *Repository) needed(q request) string {
	c := calls[q.op]
	switch {
	case r.kind == GitHub && c.needs != "":
		return fmt.Sprintf(": it needs the permission %q", c.needs)
	case r.kind == Gitea && strings.HasSuffix(c.path, "/branch_protections"), r.kind == Gitea && strings.HasSuffix(c.path, "/branch_protections/{name}"):
		return fmt.Sprintf(": it needs the scope %q, and must belong to an administrator of the repository", c.scope)
	case r.kind == Gitea && c.scope != "":
		return fmt.Sprintf(": it needs the scope %q", c.scope)
	}
	return ""
}

// moved tells the new name of a repository that was renamed or transferred: a write is not sent
// there, since it may have become another repository than was meant.
func (r *Repository) moved(ctx context.Context, q request, a *answer) error {
	if q.op != getRepository {
		var w wireRepository
		if err := r.call(ctx, request{op: getRepository, out: &w}); err == nil && !strings.EqualFold(w.FullName, r.Name()) {
			return r.fault(q, online.NotFound, "the repository is %s now: use that name", w.FullName)
		}
	}
	return r.fault(q, online.NotFound, "%s answered %d and points to %q, where the token is not sent: give the new name or address",
		r.kind.title(), a.status, a.header.Get("Location"))
}

// message is what a forge says about a refusal, in one line.
func message(a *answer) string {
	var body struct {
		Message string            `json:"message"`
		Errors  []json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(a.body, &body) != nil || body.Message == "" && len(body.Errors) == 0 {
		return http.StatusText(a.status)
	}
	said := []string{body.Message}
	for _, raw := range body.Errors {
		said = append(said, detail(raw))
	}
	text := []rune(strings.Join(strings.Fields(strings.Join(said, " ")), " "))
	if len(text) > 400 {
		text = append(text[:400], '…')
	}
	return string(text)
}

// detail is one of the errors behind a message: a text, or what GitHub makes of one
// (docs.github.com/rest, "Troubleshooting the REST API").
func detail(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var e struct{ Message, Resource, Field, Code string }
	_ = json.Unmarshal(raw, &e) // what cannot be read says nothing
	if e.Message != "" {
		return e.Message
	}
	return strings.TrimSpace(strings.Join([]string{e.Resource, e.Field, e.Code}, " "))
}
