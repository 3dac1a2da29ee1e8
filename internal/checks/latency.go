package checks

import (
	"fmt"
	"math"
	"slices"
	"time"

	"hotswap/internal/document"
)

// latency bounds how long answers take, with so many requests under way at once.
type latency struct {
	concurrency, requests int
	p50, p99              time.Duration // 0: no bound
}

func readLatency(m *document.Mapping) *latency {
	l := &latency{
		concurrency: m.Integer("concurrency", 1, 256, 1),
		requests:    m.Integer("requests", 1, 1_000_000, 100),
		p50:         m.Duration("p50", 0),
		p99:         m.Duration("p99", 0),
	}
	for key, bound := range map[string]time.Duration{"p50": l.p50, "p99": l.p99} {
		if n := m.Get(key); n != nil && bound == 0 {
			m.Fail(n.At, "%s: %q, want more than no time, such as 100ms", key, n.Text)
		}
	}
	if l.p50 == 0 && l.p99 == 0 {
		m.Missing("there is no bound, want p50 or p99, such as 100ms")
	}
	m.Done()
	return l
}

// judge lists the bounds that are not kept.
func (l *latency) judge(r Result) (reasons []string) {
	for _, b := range []struct {
		name       string
		got, bound time.Duration
	}{{"p50", r.P50, l.p50}, {"p99", r.P99, l.p99}} {
		if b.bound > 0 && b.got > b.bound {
			reasons = append(reasons, fmt.Sprintf("%s is %v, want at most %v (%d requests, %d at once)",
				b.name, rounded(b.got), b.bound, r.Requests, l.concurrency))
		}
	}
	return reasons
}

// percentile is the nearest rank: the smallest of them that a share of them doesn't exceed.
func percentile(took []time.Duration, share float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// rounded keeps three digits or so of a time.
func rounded(d time.Duration) time.Duration {
	for unit := time.Microsecond; unit < time.Second; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Second)
}
