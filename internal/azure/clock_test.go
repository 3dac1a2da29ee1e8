package azure

import (
	"testing"
	"time"
)

// Whatever the distance of the clocks, the corrected one is not ahead of the service's, and soon
// less than a second behind it; one that agrees is left alone.
func TestClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{
		"the same": 0, "a bit ahead": 300 * time.Millisecond, "a bit behind": -300 * time.Millisecond,
		"an hour ahead": time.Hour, "nine seconds behind": -9*time.Second - 400*time.Millisecond,
	} {
		c := new(clock)
		local := time.Date(2026, 1, 1, 12, 0, 0, 150e6, time.UTC)
		for range 40 {
			sent := local
			at := local.Add(20 * time.Millisecond)
			received := local.Add(50 * time.Millisecond)
			c.observe(sent, at.Add(ahead).Truncate(time.Second), received)
			if off := c.offset - ahead; ahead.Abs() > time.Second && (off > 0 || off < -1100*time.Millisecond) {
				t.Errorf("%s: off by %v", name, off)
			}
			local = local.Add(1730 * time.Millisecond)
		}
		if off := c.offset - ahead; off.Abs() > 400*time.Millisecond {
			t.Errorf("%s: off by %v in the end", name, off)
		}
		if ahead == 0 && c.offset != 0 {
			t.Errorf("%s: corrected by %v", name, c.offset)
		}
	}
}
