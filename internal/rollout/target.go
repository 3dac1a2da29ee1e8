package rollout

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/online"
)

// Target is where a suite's requests to one deployment of e go. The first of them waits for the
// routes to it: they may come into force late, and until then the front door answers, or nobody.
func (r *Runner) Target(e online.Endpoint, deployment string) checks.Target {
	return &target{cloud: r.Cloud, endpoint: e, deployment: deployment}
}

type target struct {
	cloud      Scorer
	endpoint   online.Endpoint
	deployment string

	routes  sync.Mutex // held by the request that waits for them
	waited  bool
	mu      sync.Mutex
	lastKey string // the endpoint's, or a token; fetched once, since a suite may have thousands of requests
}

// Score sends the request once the routes are in force.
func (t *target) Score(ctx context.Context, r checks.Request) (checks.Answer, error) {
	t.routes.Lock()
	if t.waited {
		t.routes.Unlock()
		return t.send(ctx, r)
	}
	defer t.routes.Unlock()
	return t.first(ctx, r)
}

// first sends the request until it is not the front door that answers. What was not so after a
// while is the answer.
func (t *target) first(ctx context.Context, r checks.Request) (a checks.Answer, err error) {
	notYet := map[int]bool{http.StatusNotFound: true, http.StatusTooManyRequests: true, http.StatusServiceUnavailable: true}
	ended := poll(ctx, staleTime, staleEvery, func() (bool, error) {
		a, err = t.send(ctx, r)
		if err != nil {
			return false, ignoreUnavailable(err)
		}
		return !notYet[a.Status], nil
	})
	if ctx.Err() != nil {
		return a, errors.Join(err, ended)
	}
	t.waited = true
	return a, err
}

func (t *target) send(ctx context.Context, r checks.Request) (checks.Answer, error) {
	a, key, err := t.sendWith(ctx, r, "")
	if err == nil && a.Status == http.StatusUnauthorized { // nothing was scored: the key is old
		a, _, err = t.sendWith(ctx, r, key)
	}
	return checks.Answer{Status: a.Status, Deployment: a.Deployment, Body: a.Body, Took: a.Duration}, err
}

// sendWith sends the request with a key that is not the refused one.
func (t *target) sendWith(ctx context.Context, r checks.Request, refused string) (a azure.Answer, key string, err error) {
	if key, err = t.key(ctx, refused); err != nil {
		return a, "", err
	}
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Timeout, online.Errorf(online.Conflict, "none within %v", r.Timeout))
		defer cancel()
	}
	a, err = t.cloud.Score(ctx, azure.Request{Endpoint: t.endpoint, Deployment: t.deployment, Header: r.Header, Body: r.Body, Key: key})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return a, key, err
}

// key returns the key at hand, or a new one where there is none or it was refused.
func (t *target) key(ctx context.Context, refused string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lastKey != refused {
		return t.lastKey, nil
	}
	key, err := t.cloud.ScoringKey(ctx, t.endpoint)
	if err != nil {
		return "", err
	}
	t.lastKey = key
	return key, nil
}
