package azure

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/online"
)

// timed is an operation that is done after a time.
type timed struct {
	start time.Time
	takes time.Duration
	polls int
}

func (p *timed) Done() bool { return time.Since(p.start) >= p.takes }

func (p *timed) Poll(context.Context) (*http.Response, error) {
	p.polls++
	return nil, nil
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		c := &Client{progress: func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }}
		p := &timed{start: time.Now(), takes: 41 * time.Second}
		if err := c.wait(t.Context(), operation{doing: `write deployment "green"`, state: "Creating"}, p, nil); err != nil {
			t.Fatal(err)
		}
		if p.polls < 10 || p.polls > 20 || time.Since(p.start) > 46*time.Second {
			t.Errorf("%d polls in %v", p.polls, time.Since(p.start))
		}
		if len(told) != 3 || told[0] != `write deployment "green": still Creating, 12 s` {
			t.Errorf("told %q, want three lines", told)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := c.wait(ctx, operation{}, &timed{start: time.Now(), takes: time.Hour}, nil)
		if online.CodeOf(err) != online.Unavailable {
			t.Errorf("the wait was cut off with %v", err)
		}
	})
}

func TestPollDelay(t *testing.T) {
	answer := func(name, value string) *http.Response { return &http.Response{Header: http.Header{name: {value}}} }
	tests := map[string]struct {
		last  *http.Response
		since time.Duration
		want  time.Duration
	}{
		"at first":              {nil, 0, time.Second},
		"later":                 {nil, 12 * time.Second, 3 * time.Second},
		"at most":               {nil, time.Hour, 5 * time.Second},
		"as the server says":    {answer("Retry-After", "7"), 0, 7 * time.Second},
		"the server says none":  {answer("Retry-After", "0"), 0, time.Second},
		"the server says a day": {answer("Retry-After", "Fri, 02 Jan 2026 00:00:00 GMT"), 0, time.Second},
		"in milliseconds":       {answer("Retry-After-Ms", "20"), 0, 20 * time.Millisecond},
	}
	for name, tt := range tests {
		if got := pollDelay(tt.last, tt.since); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestSettleGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got, err := settle(t.Context(), func() (int, bool, error) { return 7, false, nil })
		if got != 7 || err != nil || time.Since(start) > settleTime+time.Second {
			t.Errorf("settle = %d, %v after %v; want what is there", got, err, time.Since(start))
		}
		_, err = settle(t.Context(), func() (int, bool, error) { return 0, false, online.Errorf(online.Forbidden, "no") })
		if online.CodeOf(err) != online.Forbidden {
			t.Errorf("settle = %v, want the reader's error", err)
		}
	})
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT5S": 5 * time.Second, "PT0.5S": 500 * time.Millisecond, "PT1M30S": 90 * time.Second, "P1DT2H": 26 * time.Hour, "PT1H": time.Hour, "PT3M": 3 * time.Minute, "5": 0, "PTxS": 0,
	} {
		if got := parseDuration(&text); got != want {
			t.Errorf("parseDuration(%q) = %v, want %v", text, got, want)
		}
	}
	for d, want := range map[time.Duration]string{5 * time.Second: "PT5S", 500 * time.Millisecond: "PT0.5S", 0: "PT0S", 3 * time.Minute: "PT180S"} {
		if got := *formatDuration(d); got != want {
			t.Errorf("formatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestAssetIDs(t *testing.T) {
	c := &Client{workspace: Workspace{"s", "g", "w"}}
	for id, want := range map[string]online.Ref{
		"/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/models/m/versions/3": {Kind: online.Models, Name: "m", Version: "3"},
		"azureml://registries/r/models/m/versions/3":    {Kind: online.Models, Name: "m", Version: "3", Registry: "r"},
		"azureml://registries/r/models/m/labels/latest": {Kind: online.Models, Name: "m", Version: "@latest", Registry: "r"},
	} {
		if got := parseAssetID(online.Models, id); got != want {
			t.Errorf("parseAssetID(%q) = %+v, want %+v", id, got, want)
		}
		if got := *c.assetID(want); got != id {
			t.Errorf("assetID(%+v) = %q, want %q", want, got, id)
		}
	}
	if got := parseAssetID(online.Models, "azureml:m:3"); got.Name != "m" || got.Version != "3" {
		t.Errorf("parseAssetID of the short form = %+v", got)
	}
}

func TestIgnore(t *testing.T) {
	rules, err := parseIgnore("# all logs\n*.log\n!keep.log\n/top.txt\nbuild/\ndocs/**/*.md\na?c\n\n")
	if err != nil {
		t.Fatal(err)
	}
	out := []string{"x.log", "d/x.log", "top.txt", "build/", "d/build/", "docs/x.md", "docs/a/b/x.md", "abc"}
	in := []string{"keep.log", "d/top.txt", "build", "x.md", "docs/x.txt", "abbc", "x.logs"}
	for _, name := range append(slices.Clone(out), in...) {
		path, folder := name, false
		if name[len(name)-1] == '/' {
			path, folder = name[:len(name)-1], true
		}
		if got := rules.match(path, folder); got != slices.Contains(out, name) {
			t.Errorf("match(%q) = %v", name, got)
		}
	}
}
