package meter_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/meter"
)

var done = meter.Status{Client: 200, Model: 200}

// at runs f in a world of its own clock, some minutes after its meter began, at the full minute.
func at(t *testing.T, f func(t *testing.T, m *meter.Meter, start time.Time)) {
	synctest.Test(t, func(t *testing.T) {
		m := meter.New()
		time.Sleep(2*time.Minute - time.Duration(time.Now().Nanosecond()))
		time.Sleep(time.Duration(60-time.Now().Unix()%60) * time.Second)
		f(t, m, time.Now())
	})
}

func answer(c *meter.Counter, n int, s meter.Status) {
	for range n {
		c.Count(time.Now().Add(-time.Millisecond), s)
	}
}

func requests(t *testing.T, m *meter.Meter, from, to time.Time) uint64 {
	t.Helper()
	tally, known := m.Tally("taxi", "blue", from, to)
	if !known {
		t.Errorf("%v to %v is not known", from, to)
	}
	return tally.Requests()
}

func TestWindowsAreExactToTheSecond(t *testing.T) {
	at(t, func(t *testing.T, m *meter.Meter, start time.Time) {
		c := m.Counter("Taxi", "Blue")
		for n := range 600 { // n+1 requests in second n
			answer(c, n+1, done)
			time.Sleep(time.Second)
		}
		for name, tt := range map[string]struct{ from, to int }{
			"one second":          {0, 1},
			"none":                {7, 7},
			"over a minute's end": {55, 65},
			"all":                 {0, 600},
			"the newest":          {599, 600},
			"and those to come":   {590, 700},
			"before the first":    {-10, 3},
		} {
			want := uint64(0)
			for n := max(tt.from, 0); n < min(tt.to, 600); n++ {
				want += uint64(n + 1)
			}
			if got := requests(t, m, start.Add(time.Duration(tt.from)*time.Second), start.Add(time.Duration(tt.to)*time.Second)); got != want {
				t.Errorf("%s: %d requests, want %d", name, got, want)
			}
		}
		half := 500 * time.Millisecond
		if got := requests(t, m, start.Add(half), start.Add(3*time.Second+half)); got != 2+3 {
			t.Errorf("%d requests from half a second to half a second, want those of the two whole ones", got)
		}
	})
}

func TestOldCellsAreMinutes(t *testing.T) {
	at(t, func(t *testing.T, m *meter.Meter, start time.Time) {
		c := m.Counter("taxi", "blue")
		for range 3 * 60 { // for 3 hours, one each second for the first minute of an hour
			if time.Since(start)%time.Hour < time.Minute {
				for range 60 {
					answer(c, 1, done)
					time.Sleep(time.Second)
				}
				continue
			}
			time.Sleep(time.Minute)
		}
		for name, tt := range map[string]struct {
			from, to time.Duration
			want     uint64
		}{
			"all":                        {0, 3 * time.Hour, 180},
			"the first minute":           {0, time.Minute, 60},
			"a minute that is cut":       {30 * time.Second, time.Hour, 0},
			"the second hour":            {time.Hour, 2 * time.Hour, 60},
			"up to a cut minute":         {time.Hour, 2*time.Hour + 59*time.Second, 60},
			"minutes and then seconds":   {time.Hour, 2*time.Hour + 59*time.Minute + 30*time.Second, 120},
			"from before the first hour": {-time.Minute, time.Hour, 60},
		} {
			if got := requests(t, m, start.Add(tt.from), start.Add(tt.to)); got != tt.want {
				t.Errorf("%s: %d requests, want %d", name, got, tt.want)
			}
		}
	})
}

// Wherever a window lies, it has all the whole cells in it, each once: here one request a second.
func TestNoCellIsLostOrCountedTwice(t *testing.T) {
	at(t, func(t *testing.T, m *meter.Meter, start time.Time) {
		c := m.Counter("taxi", "blue")
		for range 100 * 60 {
			answer(c, 1, done)
			time.Sleep(time.Second)
		}
		time.Sleep(17 * time.Second)
		for from := range 100 * 60 {
			from := start.Add(time.Duration(from) * time.Second)
			got, all := requests(t, m, from, start.Add(100*time.Minute)), uint64(start.Add(100*time.Minute).Sub(from).Seconds())
			exact := time.Since(from) < time.Hour
			if whole := all - all%60; got > all || exact && got != all || !exact && got != whole {
				t.Fatalf("%d requests from %v on, of %d", got, from.Sub(start), all)
			}
		}
	})
}

func TestUnknownIsNotZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(300 * time.Millisecond)
		m := meter.New()
		time.Sleep(48 * time.Hour)
		for name, tt := range map[string]struct {
			from  time.Time
			known bool
		}{
			"longer ago than is kept":  {time.Now().Add(-24*time.Hour - 2*time.Second), false},
			"as long ago as is kept":   {time.Now().Add(-24*time.Hour + time.Second), true},
			"nothing was counted then": {time.Now().Add(-time.Hour), true},
		} {
			tally, known := m.Tally("taxi", "blue", tt.from, tt.from.Add(time.Minute))
			if known != tt.known || tally.Requests() != 0 {
				t.Errorf("%s: known is %v with %d requests", name, known, tally.Requests())
			}
		}
	})
}

func TestMeterBeginsWithAWholeSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(300 * time.Millisecond)
		m := meter.New()
		next := time.Now().Truncate(time.Second).Add(time.Second)
		time.Sleep(5 * time.Second)
		for name, tt := range map[string]struct {
			from  time.Time
			known bool
		}{
			"the first whole second": {next, true}, "the one before": {next.Add(-time.Second), false}, "an hour before": {next.Add(-time.Hour), false},
		} {
			if _, known := m.Tally("taxi", "blue", tt.from, time.Now()); known != tt.known {
				t.Errorf("from %s on: known is %v", name, known)
			}
		}
	})
}

func TestIdleCounterIsForgotten(t *testing.T) {
	at(t, func(t *testing.T, m *meter.Meter, start time.Time) {
		c := m.Counter("taxi", "blue")
		answer(c, 5, done)
		time.Sleep(25 * time.Hour)
		m.Counter("taxi", "green")
		answer(c, 3, done)
		if got := requests(t, m, time.Now().Add(-time.Hour), time.Now().Add(time.Second)); got != 3 {
			t.Errorf("%d requests, want the 3 since it was forgotten", got)
		}
		if got := m.Deployments("TAXI"); !slices.Equal(got, []string{"blue", "green"}) {
			t.Errorf("deployments %q", got)
		}
	})
}

func TestStatuses(t *testing.T) {
	at(t, func(t *testing.T, m *meter.Meter, start time.Time) {
		c := m.Counter("taxi", "blue")
		answer(c, 7, done)
		answer(c, 2, meter.Status{Client: 429})
		for model := 100; model < 1000; model++ { // as a hostile model would
			answer(c, 1, meter.Status{Client: 424, Model: model})
		}
		answer(c, 1, meter.Status{Client: 503})
		time.Sleep(time.Hour)
		tally, _ := m.Tally("taxi", "blue", start, start.Add(time.Minute))
		by := map[int]uint64{}
		for _, s := range tally.Statuses {
			by[s.Client] += s.N
		}
		if by[200] != 7 || by[429] != 2 || by[424] != 900 || by[503] != 1 || len(tally.Statuses) > 66 {
			t.Errorf("by status %v in %d pairs", by, len(tally.Statuses))
		}
	})
}

func TestQuantilesAreRight(t *testing.T) {
	at(t, func(t *testing.T, m *meter.Meter, start time.Time) {
		c := m.Counter("taxi", "blue")
		var all []time.Duration
		random := rand.New(rand.NewPCG(1, 2))
		for range 5000 { // from 20 µs to 150 s, evenly by their logarithms
			took := time.Duration(math.Exp(random.Float64()*math.Log(150e9/20e3)) * 20e3)
			all = append(all, took)
			c.Count(time.Now().Add(-took), done)
		}
		slices.Sort(all)
		tally, _ := m.Tally("taxi", "blue", start, start.Add(time.Second))
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1} {
			want := all[max(int(math.Ceil(q*5000)), 1)-1]
			if off := float64(tally.Quantile(q))/float64(want) - 1; math.Abs(off) > 0.05 {
				t.Errorf("quantile %v is %v, want %v: off by %.1f %%", q, tally.Quantile(q), want, off*100)
			}
		}
		mean := time.Duration(0)
		for _, took := range all {
			mean += took / 5000
		}
		if off := tally.Mean() - mean; off.Abs() > 10*time.Microsecond {
			t.Errorf("mean %v, want %v", tally.Mean(), mean)
		}
		time.Sleep(time.Hour) // as minutes they are the same
		if old, _ := m.Tally("taxi", "blue", start, start.Add(time.Minute)); old.Quantile(0.5) != tally.Quantile(0.5) || old.Mean() != tally.Mean() {
			t.Errorf("as a minute: %v, as a second: %v", old.Quantile(0.5), tally.Quantile(0.5))
		}
		if none, _ := m.Tally("taxi", "blue", time.Now(), time.Now().Add(time.Second)); none.Quantile(0.5) != 0 || none.Mean() != 0 {
			t.Error("no requests have a latency")
		}
	})
}

// Counting, asking and going on to the next second at the same time lose nothing.
func TestManyAtOnce(t *testing.T) {
	m := meter.New()
	start := time.Now().Add(time.Second)
	time.Sleep(time.Until(start.Truncate(time.Second)))
	var group sync.WaitGroup
	counted := 0
	var mu sync.Mutex
	for range 4 {
		group.Go(func() {
			c, n := m.Counter("taxi", "blue"), 0
			for ; time.Since(start) < 1200*time.Millisecond; n++ {
				c.Count(time.Now(), done)
				if n%1000 == 0 {
					m.Tally("taxi", "blue", start, time.Now().Add(time.Second))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			counted += n
		})
	}
	group.Wait()
	if got := requests(t, m, start.Truncate(time.Second), time.Now().Add(time.Second)); got != uint64(counted) || counted < 1000 {
		t.Errorf("%d requests, want %d", got, counted)
	}
}

func BenchmarkCount(b *testing.B) {
	c := meter.New().Counter("taxi", "blue")
	began := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c.Count(began, done)
	}
}

func BenchmarkCountByMany(b *testing.B) {
	c := meter.New().Counter("taxi", "blue")
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for began := time.Now(); p.Next(); {
			c.Count(began, done)
		}
	})
}
