package scoring

import (
	"net/http"
	"strings"
	"testing"
)

func TestCleanClientID(t *testing.T) {
	cases := map[string]struct{ id, want string }{
		"kept as it is":       {"run-7_A", "run-7_A"},
		"empty":               {"", ""},
		"cut at 40":           {strings.Repeat("x", 41), strings.Repeat("x", 40)},
		"others are left out": {"a b\r\nc/é:d", "abcd"},
		"cut after cleaning":  {"!" + strings.Repeat("y", 60), strings.Repeat("y", 40)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := CleanClientID(c.id); got != c.want {
				t.Errorf("CleanClientID(%q) = %q, want %q", c.id, got, c.want)
			}
		})
	}
}

func TestHeaderNamesAreCanonical(t *testing.T) {
	names := []string{
		Deployment, RequestID, ServiceID, ClientID, ErrorReason, ErrorStatusCode, Model,
		RunMilliseconds, RunFailed, ServerVersion,
	}
	for _, name := range names {
		if canonical := http.CanonicalHeaderKey(name); name != canonical {
			t.Errorf("%q would be looked up as %q", name, canonical)
		}
	}
}
