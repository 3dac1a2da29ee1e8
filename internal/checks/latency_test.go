package checks

import (
	"slices"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	upTo := func(n int) (all []time.Duration) {
		for i := range n {
			all = append(all, time.Duration(i+1))
		}
		slices.Reverse(all)
		return all
	}
	tests := map[string]struct {
		n     int
		share float64
		want  time.Duration
	}{
		"none":             {0, 0.5, 0},
		"one":              {1, 0.99, 1},
		"middle of three":  {3, 0.5, 2},
		"middle of four":   {4, 0.5, 2},
		"99 of 100":        {100, 0.99, 99},
		"the worst of ten": {10, 0.99, 10},
	}
	for name, tt := range tests {
		if got := percentile(upTo(tt.n), tt.share); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
