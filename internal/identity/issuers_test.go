package identity_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"hotswap/internal/identity"
	"hotswap/internal/online"
)

func TestIssuerRotatesItsKeys(t *testing.T) {
	i := newIssuer(t)
	before, after := newKey(t, "one", jose.RS256), newKey(t, "two", jose.RS256)
	i.publish(before)
	a := trusting(t, i, &spent{})
	attempt := func(k key) identity.GrantCode { return refusal(t, a, login(k.sign(t, i.claims()))).Code }
	for range 3 {
		if got := attempt(before); got != "" {
			t.Fatal(got)
		}
	}
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times for 3 logins, want once", n)
	}
	i.publish(after)
	if got := attempt(after); got != "" {
		t.Errorf("the new key: %s", got)
	}
	if got := attempt(before); got != identity.InvalidClient {
		t.Errorf("the withdrawn key: %q", got)
	}
	made := newKey(t, "made up", jose.RS256)
	for range 20 {
		if got := attempt(made); got != identity.InvalidClient {
			t.Errorf("a key that the issuer has not: %q", got)
		}
	}
	if n := i.fetches.Load(); n > 3 { // one more only where the logins took longer than the pause
		t.Errorf("the keys were fetched %d times, want few for whatever ids there are", n)
	}
}

// Of an issuer that can't be asked nothing is known: neither that the assertion is good, nor that it isn't.
func TestIssuerDown(t *testing.T) {
	i := newIssuer(t)
	k := newKey(t, "one", jose.RS256)
	i.publish(k)
	tests := map[string]struct {
		break_ func()
		trust  func(*identity.Federated)
		reason string
	}{
		"out of order":    {break_: func() { i.down = true }, reason: "500"},
		"another's name":  {break_: func() { i.says = "https://other.example" }, reason: "https://other.example"},
		"talks too much":  {break_: func() { i.talk = strings.Repeat("x", 2<<20) }, reason: "unexpected"},
		"redirect":        {trust: func(f *identity.Federated) { f.Issuer = i.URL + "/moved" }, reason: "302"},
		"nobody is there": {trust: func(f *identity.Federated) { f.Issuer = "https://127.0.0.1:1" }, reason: "connection refused"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i.mu.Lock()
			i.down, i.says, i.talk = false, "", ""
			if tt.break_ != nil {
				tt.break_()
			}
			i.mu.Unlock()
			claims := i.claims()
			var trusts []func(*identity.Federated)
			if tt.trust != nil {
				trusts = append(trusts, tt.trust, func(f *identity.Federated) { claims["iss"] = f.Issuer })
			}
			got := refusal(t, trusting(t, i, &spent{}, trusts...), login(k.sign(t, claims)))
			if got.Code != identity.TemporarilyUnavailable || !strings.Contains(got.Reason, tt.reason) || strings.Contains(got.Description, tt.reason) {
				t.Errorf("got %+v, want it unavailable, and %q for the log only", got, tt.reason)
			}
		})
	}
	t.Run("back again", func(t *testing.T) {
		i.mu.Lock()
		i.down, i.says, i.talk = true, "", ""
		i.mu.Unlock()
		a := trusting(t, i, &spent{})
		if got := refusal(t, a, login(k.sign(t, i.claims()))); got.Code != identity.TemporarilyUnavailable {
			t.Fatalf("%+v", got)
		}
		i.mu.Lock()
		i.down = false
		i.mu.Unlock()
		deadline := time.Now().Add(time.Minute)
		for refusal(t, a, login(k.sign(t, i.claims()))).Code != "" {
			if time.Now().After(deadline) {
				t.Fatal("the issuer is back, and its assertions are still refused")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// noting notes by when requests must be through.
type noting struct {
	http.RoundTripper
	within []time.Duration
}

func (n *noting) RoundTrip(r *http.Request) (*http.Response, error) {
	until, bounded := r.Context().Deadline()
	if !bounded {
		until = time.Now().Add(24 * time.Hour)
	}
	n.within = append(n.within, time.Until(until))
	return n.RoundTripper.RoundTrip(r)
}

// An issuer that doesn't answer keeps nobody waiting for long.
func TestIssuerHasLittleTime(t *testing.T) {
	i := newIssuer(t)
	k := newKey(t, "one", jose.ES256)
	i.publish(k)
	n := &noting{RoundTripper: i.Client().Transport}
	a, err := identity.NewAuthority(identity.Options{
		Dir: t.TempDir(), BaseURL: base, TenantID: tenant, Audiences: []string{base}, Assertions: &spent{}, Issuers: n,
		Principals: fakePrincipals{federated: []identity.Federated{{Issuer: i.URL, Audience: exchange, Subjects: []string{byName}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := refusal(t, a, login(k.sign(t, i.claims()))); got.Code != "" {
		t.Fatalf("%+v", got)
	}
	if len(n.within) != 2 || n.within[0] > 10*time.Second || n.within[1] > n.within[0] {
		t.Errorf("its requests have %v, want 10 seconds together", n.within)
	}
}

// An issuer without TLS, or with a certificate that nobody vouches for, isn't asked for keys.
func TestIssuerMustBeTrusted(t *testing.T) {
	i := newIssuer(t)
	k := newKey(t, "one", jose.RS256)
	i.publish(k)
	a, err := identity.NewAuthority(identity.Options{
		Dir: t.TempDir(), BaseURL: base, TenantID: tenant, Audiences: []string{base}, Assertions: &spent{},
		Principals: fakePrincipals{federated: []identity.Federated{{Issuer: i.URL, Audience: exchange, Subjects: []string{byName}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := refusal(t, a, login(k.sign(t, i.claims()))); got.Code != identity.TemporarilyUnavailable || !strings.Contains(got.Reason, "certificate") {
		t.Errorf("an unknown certificate: %+v", got)
	}
	for name, f := range map[string]identity.Federated{
		"no TLS":       {Issuer: "http://127.0.0.1:1", Audience: exchange, Subjects: []string{byName}},
		"no host":      {Issuer: "https://", Audience: exchange, Subjects: []string{byName}},
		"a query":      {Issuer: i.URL + "?x=1", Audience: exchange, Subjects: []string{byName}},
		"no audience":  {Issuer: i.URL, Subjects: []string{byName}},
		"no subject":   {Issuer: i.URL, Audience: exchange},
		"empty":        {Issuer: i.URL, Audience: exchange, Subjects: []string{""}},
		"long":         {Issuer: i.URL, Audience: exchange, Subjects: []string{strings.Repeat("x", 601)}},
		"space around": {Issuer: i.URL, Audience: exchange, Subjects: []string{byName + " "}},
		"empty claim":  {Issuer: i.URL, Audience: exchange, Subjects: []string{byName}, Claims: map[string]string{"repository_id": ""}},
	} {
		r := registry(t, &records{}, owner("o"))
		if _, err := r.Federate(t.Context(), "o", f); online.CodeOf(err) != online.Invalid {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
}
