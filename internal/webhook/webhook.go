// Package webhook tells one URL what becomes of a rollout. A rollout neither waits for it nor
// fails because of it: events are queued, sent in order by one goroutine, and dropped when they
// cannot be delivered, which is told once.
//
// An event is a POST of JSON with these headers:
//
//	X-Hotswap-Event          the state of the rollout
//	X-Hotswap-Delivery       the event's id, which is the same in each try, and in the body
//	X-Hotswap-Timestamp      seconds since 1970, of this try
//	X-Hotswap-Signature-256  sha256= and, in hex, HMAC-SHA256(secret, timestamp "." body)
//
// The form of the signature is that of GitHub's X-Hub-Signature-256 (docs.github.com, "Validating
// webhook deliveries"), but GitHub signs the body alone, so whoever has seen one delivery can send
// it again at any time. As in Standard Webhooks (standardwebhooks.com, "Verifying webhook
// authenticity") the time is signed too: a receiver refuses what is older than some minutes, and
// within them what has an id that it has seen. The id is signed as a part of the body.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"hotswap/internal/online"
)

// Event is one state that a rollout has come to.
type Event struct {
	ID       string          `json:"id"` // of the rollout and of the state in it: no two events share one
	Rollout  string          `json:"rollout"`
	Endpoint string          `json:"endpoint"`
	State    string          `json:"state"`
	Time     time.Time       `json:"time"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// Options says where events go.
type Options struct {
	URL    string                           // https; http for this machine itself
	Secret []byte                           // signs each event
	Client *http.Client                     // nil: one that trusts the system's authorities
	Say    func(format string, args ...any) // tells people that an event could not be delivered
}

// Hook delivers events until it is closed. Its methods may be called by several goroutines.
type Hook struct {
	url    *url.URL
	secret []byte
	client *http.Client
	say    func(format string, args ...any)
	pauses []time.Duration // before the second try, the third …

	stop  context.CancelFunc // gives up what is queued and what is under way
	ended chan struct{}      // closed when nothing will be sent any more

	mu     sync.Mutex
	queue  []delivery
	wake   chan struct{} // holds a token when the queue has grown or was closed
	closed bool
}

// delivery is an event as it is sent: encoded when it was handed over, so that what the caller
// does with its data afterwards changes nothing.
type delivery struct {
	id, state string
	body      []byte
}

// tryTime bounds one try, connecting included; github.com gives a receiver as long
// (docs.github.com, "Best practices for using webhooks").
const tryTime = 10 * time.Second

// pauses give a receiver that is being restarted its time, and hold up the next event by no more
// than the sum of them and the tries.
var pauses = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// New returns a hook that is ready to send. It has to be closed.
func New(o Options) (*Hook, error) {
	u, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	if len(o.Secret) == 0 {
		return nil, online.Errorf(online.Invalid, "the webhook has no secret to sign with: name the environment variable that holds one")
	}
	ctx, stop := context.WithCancel(context.Background())
	h := &Hook{
		url: u, secret: o.Secret, client: newClient(o.Client), say: o.Say, pauses: pauses,
		stop: stop, ended: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	go h.run(ctx)
	return h, nil
}

func parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return nil, online.Errorf(online.Invalid, "the webhook's URL cannot be read: want one such as https://example.com/hotswap")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, online.Errorf(online.Invalid, "the webhook's URL begins with %s://: want https, since http is for this machine itself only", u.Scheme)
}

func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// newClient returns a client that follows no redirect: the body and its signature are for the
// URL's host alone.
func newClient(given *http.Client) *http.Client {
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.DisableKeepAlives = true
	c := &http.Client{Transport: own}
	if given != nil {
		*c = *given
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Send queues an event and returns at once.
func (h *Hook) Send(e Event) {
	body, err := json.Marshal(e)
	if err != nil {
		h.say("webhook: event %s cannot be written as JSON: %v", e.ID, err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.queue = append(h.queue, delivery{id: e.ID, state: e.State, body: body})
	h.nudge()
}

// nudge wakes the goroutine, or finds it woken.
func (h *Hook) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Close waits until what is queued was sent, or was given up, or ctx has ended. Nothing is sent
// after it.
func (h *Hook) Close(ctx context.Context) {
	h.mu.Lock()
	h.closed = true
	h.nudge()
	h.mu.Unlock()
	select {
	case <-h.ended:
	case <-ctx.Done():
	}
	h.stop()
	<-h.ended
}

// next takes the oldest event, and waits for one unless the hook is closed.
func (h *Hook) next(ctx context.Context) (d delivery, ok bool) {
	for {
		h.mu.Lock()
		if len(h.queue) > 0 {
			d, h.queue = h.queue[0], h.queue[1:]
			h.mu.Unlock()
			return d, true
		}
		closed := h.closed
		h.mu.Unlock()
		if closed {
			return delivery{}, false
		}
		select {
		case <-h.wake:
		case <-ctx.Done():
			return delivery{}, false
		}
	}
}

// run is the goroutine that sends. A failure is told when the event before it was delivered, or
// was the first: a receiver that is gone is told of once, not at every state.
func (h *Hook) run(ctx context.Context) {
	defer close(h.ended)
	told := false
	for {
		d, ok := h.next(ctx)
		if !ok {
			return
		}
		err := h.deliver(ctx, d)
		if err != nil && !told {
			h.say("webhook: %s was not told that the rollout is %s: %v; the rollout goes on", h.url.Host, d.state, err)
		}
		told = err != nil
	}
}

// sign returns the value of the signature's header.
func sign(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
