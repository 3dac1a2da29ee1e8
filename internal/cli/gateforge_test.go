package cli

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/forge"
	"hotswap/internal/gate"
)

// limited is a forge whose rate limit lasts an hour.
type limited struct{}

func (limited) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"3600"}}, Request: r, Body: io.NopCloser(strings.NewReader("{}")),
	}, nil
}

// No run waits for a rate limit until it is over.
func TestNoCommentIsWaitedForLong(t *testing.T) {
	for name, tell := range map[string]func(context.Context, gateForge) error{
		"pull request": func(ctx context.Context, f gateForge) error { _, err := f.PullRequest(ctx, 1); return err },
		"comment":      func(ctx context.Context, f gateForge) error { return f.Comment(ctx, 1, "m", "text") },
		"status": func(ctx context.Context, f gateForge) error {
			return f.SetStatus(ctx, strings.Repeat("a", 40), gate.Status{Context: "hotswap/taxi"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := forge.Dial(forge.Options{
					Kind: forge.GitHub, BaseURL: "https://api.example", Token: "t", Repository: "o/n", HTTP: &http.Client{Transport: limited{}},
				})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				if err := tell(t.Context(), gateForge{r}); err == nil || time.Since(start) > 3*time.Minute {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			})
		})
	}
}
