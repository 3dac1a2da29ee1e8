package azure

import (
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// clock is the service's, as far as the Date headers of its answers tell (RFC 9110, section 6.6.1: in
// whole seconds, cut off). Each answer bounds how far it may be from ours; only where ours is out of
// bounds is it corrected, by the least that the service's clock can show. So it may be up to a second
// behind the service's, and not ahead of it: a window that ends now is over there too.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

// Do observes each attempt of each request; it is a policy after the one that tries again, so that the waits
// between attempts don't count.
func (c *clock) Do(r *policy.Request) (*http.Response, error) {
	sent := time.Now()
	resp, err := r.Next()
	if err != nil {
		return resp, err
	}
	if date, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
		c.observe(sent, date, time.Now())
	}
	return resp, nil
}

// observe takes in that the service's clock showed date at some time between sent and received.
func (c *clock) observe(sent, date, received time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	least, most := date.Sub(received.Round(0)), date.Add(time.Second).Sub(sent.Round(0))
	if c.offset < least || c.offset > most {
		c.offset = least
	}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

// Now is the service's time: ours, corrected by the Date of its answers.
func (c *Client) Now() time.Time { return c.clock.now() }
