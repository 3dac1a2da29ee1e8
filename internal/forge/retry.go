package forge

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// tries is how often a call is sent that meets failures which may pass, and limits how often one
// that meets rate limits.
const (
	tries  = 4
	limits = 5
)

// again decides whether a call is sent again, after how long, and why; no reason is no. a is nil
// where err says that there was no answer.
//
// A call that a rate limit refused was not executed, whatever it is. Of any other failure that
// cannot be known, so only a call is repeated which does no harm twice.
func again(c call, a *answer, err error, tried int) (wait time.Duration, why string) {
	if err == nil {
		if wait, limited := limit(a, tried); limited && tried < limits {
			return wait, "the rate limit is reached"
		}
	}
	passing := err != nil || a.status >= 500 && a.status != http.StatusNotImplemented
	if !passing || !c.twice || tried >= tries {
		return 0, ""
	}
	if err != nil {
		return pause(tried), "the connection was lost"
	}
	return pause(tried), "it answered " + strconv.Itoa(a.status)
}

// pause grows from a second, by chance up to a quarter longer, so that jobs which failed together
// don't come back together.
func pause(tried int) time.Duration {
	d := time.Second << (tried - 1)
	return d + rand.N(d/4)
}

// limit reads how long the forge wants to be left alone: GitHub answers 403 or 429, with
// Retry-After, or with the time at which the limit begins anew, or with words alone, and then
// wants a minute at least and more each time (docs.github.com/rest, "Rate limits for the REST API").
func limit(a *answer, tried int) (wait time.Duration, limited bool) {
	if a.status != http.StatusForbidden && a.status != http.StatusTooManyRequests {
		return 0, false
	}
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if a.header.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(a.header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return max(time.Unix(reset, 0).Sub(now(a)), 0) + time.Second, true
		}
	}
	if a.status == http.StatusTooManyRequests || bytes.Contains(bytes.ToLower(a.body), []byte("rate limit")) {
		return time.Minute << (tried - 1), true
	}
	return 0, false
}

// now is the forge's own time, in which it tells when a limit ends.
func now(a *answer) time.Time {
	if t, err := http.ParseTime(a.header.Get("Date")); err == nil {
		return t
	}
	return time.Now()
}
