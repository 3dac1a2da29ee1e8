package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// deliver sends one event, and sends it again only where the try before was certainly not taken:
// so it arrives once or, where that cannot be known, is never sent twice.
func (h *Hook) deliver(ctx context.Context, d delivery) error {
	for tried := 0; ; tried++ {
		wait, err := h.try(ctx, d)
		if err == nil {
			return nil
		}
		again, ok := errors.AsType[*notTakenError](err)
		if !ok {
			return err
		}
		if tried == len(h.pauses) {
			return fmt.Errorf("tried %d times: %w", tried+1, again)
		}
		select {
		case <-time.After(max(h.pauses[tried], wait)):
		case <-ctx.Done():
			return fmt.Errorf("the command ended before it could be tried again: %w", again)
		}
	}
}

// notTakenError is of a try that the receiver has certainly not taken.
type notTakenError struct{ error }

func (e *notTakenError) Unwrap() error { return e.error }

// try sends d once. wait is what the receiver wants to be left alone for.
//
// Each try has a connection of its own: net/http may resend on one that was kept alive, and a
// request that never had one was never sent.
func (h *Hook) try(ctx context.Context, d delivery) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	var connected atomic.Bool // written by the transport's goroutine, which may outlive Do
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(traced, http.MethodPost, h.url.String(), bytes.NewReader(d.body))
	if err != nil {
		return 0, withoutURL(err)
	}
	req.Close = true
	h.head(req, d)
	resp, err := h.client.Do(req)
	switch {
	case err != nil && connected.Load():
		return 0, fmt.Errorf("the answer was lost, so it was not sent again: %w", withoutURL(err))
	case err != nil:
		return 0, &notTakenError{withoutURL(err)}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // a receiver that is cut off may take that for a failure
	return judge(resp)
}

func (h *Hook) head(req *http.Request, d delivery) {
	timestamp := unix(time.Now())
	for key, value := range map[string]string{
		"Content-Type":            "application/json",
		"User-Agent":              "hotswap",
		"X-Hotswap-Event":         d.state,
		"X-Hotswap-Delivery":      d.id,
		"X-Hotswap-Timestamp":     timestamp,
		"X-Hotswap-Signature-256": sign(h.secret, timestamp, d.body),
	} {
		req.Header.Set(key, value)
	}
}

// longestWait bounds what a Retry-After can hold the next events up for.
const longestWait = 30 * time.Second

// judge tells a delivery from a failure. 408, 425, 429 and 5xx say that the request was not dealt
// with (RFC 9110, section 15; RFC 8470; RFC 6585), but 502 and 504 are a gateway's words for an
// answer that it lost itself: there the receiver may have taken the event.
func judge(resp *http.Response) (wait time.Duration, err error) {
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return 0, nil
	case code == http.StatusBadGateway, code == http.StatusGatewayTimeout:
		return 0, fmt.Errorf("it answered %s, so it may have taken the event, which was not sent again", resp.Status)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return retryAfter(resp), &notTakenError{fmt.Errorf("it answered %s", resp.Status)}
	case code >= 300 && code < 400:
		return 0, fmt.Errorf("it answered %s, and redirects are not followed: give the URL that it points to", resp.Status)
	}
	return 0, fmt.Errorf("it answered %s", resp.Status)
}

// retryAfter reads the header's seconds (RFC 9110, section 10.2.3). A date is passed over: the
// two clocks may differ by more than the wait.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, int(longestWait/time.Second))) * time.Second
}

// withoutURL takes the address out of an error's text: a token may be a part of it.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
