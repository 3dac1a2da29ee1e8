package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"hotswap/internal/online"
)

// request is one call with what goes into it, and where its answer is decoded to.
type request struct {
	op    operation
	at    []any // the placeholders of the path after {owner} and {repo}
	query url.Values
	in    any // nil: no body
	out   any // nil: the answer is dropped
}

// answer is what a forge said, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// longestAnswer bounds what is read of one; a page of 100 comments of 64 KiB fits.
const longestAnswer = 16 << 20

// apiVersion is GitHub's, which has it supported until 2028 at least
// (github.blog/changelog/2026-03-12-rest-api-version-2026-03-10-is-now-available).
const apiVersion = "2022-11-28"

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// call makes one call.
func (r *Repository) call(ctx context.Context, q request) error {
	a, err := r.send(ctx, q, r.address(q))
	if err != nil {
		return err
	}
	return r.decode(q, a)
}

// pages reads a list page by page, as the header Link leads on (RFC 8288).
func pages[T any](ctx context.Context, r *Repository, q request) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for address := r.address(q); address != ""; {
			var page T
			q.out = &page
			a, err := r.send(ctx, q, address)
			if err == nil {
				err = r.decode(q, a)
			}
			if err == nil {
				address, err = next(address, a)
			}
			if !yield(page, err) || err != nil {
				return
			}
		}
	}
}

// perPage asks for the longest pages that a forge gives by default.
func (r *Repository) perPage(query url.Values) url.Values {
	if query == nil {
		query = url.Values{}
	}
	if r.kind == GitHub {
		query.Set("per_page", "100")
	} else {
		query.Set("limit", "50")
	}
	return query
}

func (r *Repository) address(q request) string {
	at := append([]any{r.owner, r.name}, q.at...)
	path := calls[q.op].path
	if !strings.Contains(path, "{owner}") {
		at = q.at
	}
	n := 0
	path = placeholder.ReplaceAllStringFunc(path, func(string) string {
		n++
		return url.PathEscape(fmt.Sprint(at[n-1]))
	})
	address := r.base.String() + path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	return address
}

var nextLink = regexp.MustCompile(`<([^>]*)>\s*;[^,]*\brel="?next\b`)

// next is the address of the page after this one: the same with another query. Host and path of
// what the header names are passed over: the token goes nowhere because a header says so, and a
// forge puts its public address there, by which it need not be within reach.
func next(address string, a *answer) (string, error) {
	found := nextLink.FindStringSubmatch(strings.Join(a.header.Values("Link"), ","))
	if found == nil {
		return "", nil
	}
	there, err := url.Parse(found[1])
	if err != nil {
		return "", err
	}
	here, _, _ := strings.Cut(address, "?")
	return here + "?" + there.RawQuery, nil
}

// send sends until there is an answer that is one: a failure that may pass is tried again where
// that does no harm, and a rate limit is waited for.
func (r *Repository) send(ctx context.Context, q request, address string) (*answer, error) {
	var body []byte
	if q.in != nil {
		var err error
		if body, err = json.Marshal(q.in); err != nil {
			return nil, r.fault(q, online.Internal, "%w", err)
		}
	}
	for tried := 1; ; tried++ {
		a, err := r.try(ctx, q, address, body)
		wait, why := again(calls[q.op], a, err, tried)
		if why == "" {
			return r.judge(ctx, q, a, err)
		}
		if err := r.wait(ctx, q, wait, why); err != nil {
			return nil, err
		}
	}
}

// wait waits, unless the context ends before that.
func (r *Repository) wait(ctx context.Context, q request, d time.Duration, why string) error {
	until := time.Now().Add(d)
	if end, bounded := ctx.Deadline(); bounded && end.Before(until) {
		return r.fault(q, online.Unavailable, "%s: try again at %s; this command may not wait as long", why, until.Format(time.TimeOnly))
	}
	if d > 10*time.Second {
		r.say("%s: %s; waiting until %s", r.base.Host, why, until.Format(time.TimeOnly))
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return r.fault(q, online.Unavailable, "%s: %w", why, context.Cause(ctx))
	}
}

// try sends once.
func (r *Repository) try(ctx context.Context, q request, address string, body []byte) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, calls[q.op].method, address, reader)
	if err != nil {
		return nil, withoutURL(err)
	}
	r.head(req)
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > longestAnswer:
		return nil, fmt.Errorf("the answer is longer than %d MiB", longestAnswer>>20)
	}
	return &answer{resp.StatusCode, resp.Header, text}, nil
}

func (r *Repository) head(req *http.Request) {
	req.Header.Set("User-Agent", "hotswap")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "token "+r.token)
	if r.kind == GitHub {
		req.Header.Set("Accept", "application/vnd.github+json")
		req.Header.Set("Authorization", "Bearer "+r.token)
		req.Header.Set("X-GitHub-Api-Version", apiVersion)
	}
	if req.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
}

func (r *Repository) decode(q request, a *answer) error {
	if q.out == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, q.out); err != nil {
		return r.fault(q, online.Internal, "what answers at %s is not the API of %s: %w", r.base, r.kind.title(), err)
	}
	return nil
}

// withoutURL takes the address out of an error's text: what was being done says it better.
func withoutURL(err error) error {
	if e, is := errors.AsType[*url.Error](err); is {
		return e.Err
	}
	return err
}
