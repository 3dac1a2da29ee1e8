package azure

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"hotswap/internal/online"
)

// How often a long-running operation is looked at where the server doesn't say (Retry-After): a
// short one soon, a long one every 5 s. The SDK's own default is 30 s.
const (
	minPoll = time.Second
	maxPoll = 5 * time.Second
)

// reportEvery is how often a wait is reported.
const reportEvery = 10 * time.Second

// operation is a write that goes on after its request was answered.
type operation struct {
	doing  string      // like `create deployment "green"`, for messages
	ending online.Code // of an operation that ended in failure
	delete bool
	state  string // that the resource is in meanwhile; told while waiting
}

// run begins a long-running operation and waits for its end. The request is sent once, and its
// answer comes within RequestTimeout or counts as lost.
func run[T any](ctx context.Context, c *Client, o operation, begin func(context.Context) (*runtime.Poller[T], error)) error {
	var first *http.Response
	sending, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	sending = policy.WithCaptureResponse(sending, &first)
	if !o.delete {
		sending = policy.WithRetryOptions(sending, policy.RetryOptions{MaxRetries: -1, TryTimeout: RequestTimeout})
	}
	p, err := begin(sending)
	if err != nil {
		return failed(err, "%s", o.doing)
	}
	switch {
	case o.delete:
		o.state = string(online.Deleting)
	case first != nil && first.StatusCode == http.StatusCreated:
		o.state = string(online.Creating)
	default:
		o.state = string(online.Updating)
	}
	if err := c.wait(ctx, o, p, first); err != nil {
		return err
	}
	_, err = p.Result(ctx)
	e, isAnswer := errors.AsType[*azcore.ResponseError](err)
	switch {
	case isAnswer && e.StatusCode < http.StatusBadRequest:
		return operationFailed(e, o.ending, o.doing)
	case isAnswer && e.StatusCode == http.StatusNotFound: // a read that lags behind: the caller reads again
		return nil
	case err != nil:
		return failed(err, "%s", o.doing)
	}
	return nil
}

// poller is what wait needs of a runtime.Poller.
type poller interface {
	Done() bool
	Poll(context.Context) (*http.Response, error)
}

func (c *Client) wait(ctx context.Context, o operation, p poller, last *http.Response) error {
	start := time.Now()
	for reported := start; !p.Done(); {
		if err := sleep(ctx, pollDelay(last, time.Since(start))); err != nil {
			return online.Errorf(online.Unavailable, "%s: stopped waiting, it may still go on: %w", o.doing, err)
		}
		var err error
		if last, err = p.Poll(ctx); err != nil { //nolint:bodyclose // because the SDK has read and closed it
			return failed(err, "%s: look whether it is done", o.doing)
		}
		if !p.Done() && time.Since(reported) >= reportEvery {
			reported = time.Now()
			c.progress("%s: still %s, %.0f s", o.doing, o.state, time.Since(start).Seconds())
		}
	}
	return nil
}

// pollDelay is how long to wait before the next look, after the answer last.
func pollDelay(last *http.Response, since time.Duration) time.Duration {
	if last != nil {
		for _, h := range []string{"retry-after-ms", "x-ms-retry-after-ms"} {
			if ms, err := strconv.Atoi(last.Header.Get(h)); err == nil && ms >= 0 {
				return time.Duration(ms) * time.Millisecond
			}
		}
		if s, err := strconv.Atoi(last.Header.Get("Retry-After")); err == nil && s >= 0 {
			return max(minPoll, time.Duration(s)*time.Second)
		}
	}
	return min(maxPoll, max(minPoll, since/4))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// How long a read may lag behind a write that has succeeded (Azure is eventually consistent).
const (
	settleTime  = 20 * time.Second
	settleEvery = 250 * time.Millisecond
)

// settle reads until the write shows, or for settleTime; then it returns what is there, and the
// caller compares.
func settle[T any](ctx context.Context, read func() (T, bool, error)) (T, error) {
	for start := time.Now(); ; {
		got, shows, err := read()
		lags := err == nil && !shows || online.CodeOf(err) == online.NotFound
		if !lags || time.Since(start) > settleTime {
			return got, err
		}
		if sleep(ctx, settleEvery) != nil {
			return got, err
		}
	}
}
