package meter

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// Buckets of latencies grow by a tenth, so the middle of one is off by at most 4.9 %, and reach from
// 10 µs to beyond 180 s, the longest that a request may take.
const (
	growth   = 1.1
	smallest = 10 * time.Microsecond
	buckets  = 178
)

// bounds are the latencies that each bucket reaches up to.
var bounds = func() (b [buckets]time.Duration) {
	for n, to := 0, float64(smallest); n < buckets; n, to = n+1, to*growth {
		b[n] = time.Duration(to)
	}
	return b
}()

// coarse is, for each length in bits, the first bucket for latencies that long; the right one is at most
// 8 further, since 1.1^8 is more than 2.
var coarse = func() (c [64]uint8) {
	for bits := 1; bits < len(c); bits++ {
		b, _ := slices.BinarySearch(bounds[:buckets-1], time.Duration(1)<<(bits-1))
		c[bits] = uint8(b)
	}
	return c
}()

func bucket(took time.Duration) int {
	b := int(coarse[bits.Len64(uint64(max(took, 0)))])
	for b < buckets-1 && bounds[b] < took {
		b++
	}
	return b
}

// Tally is what a deployment answered in some time.
type Tally struct {
	Statuses []StatusCount // in no order

	took    time.Duration // all latencies together
	buckets [buckets]uint64
}

// StatusCount is how many answers ended in one way.
type StatusCount struct {
	Status
	N uint64
}

// Requests is how many were answered.
func (t *Tally) Requests() (n uint64) {
	for _, s := range t.Statuses {
		n += s.N
	}
	return n
}

// Add adds what u has counted.
func (t *Tally) Add(u *Tally) {
	t.took += u.took
	for _, s := range u.Statuses {
		t.status(s.Status, s.N)
	}
	for b, n := range u.buckets {
		t.buckets[b] += n
	}
}

// add counts n answers that took so long each.
func (t *Tally) add(s Status, n uint64, took time.Duration) {
	t.status(s, n)
	t.took += took
	t.buckets[bucket(took)] += n
}

func (t *Tally) status(s Status, n uint64) {
	for i := range t.Statuses {
		if t.Statuses[i].Status == s {
			t.Statuses[i].N += n
			return
		}
	}
	if len(t.Statuses) >= maxStatuses-1 && s.Model != 0 {
		t.status(Status{Client: s.Client}, n)
		return
	}
	t.Statuses = append(t.Statuses, StatusCount{s, n})
}

// Mean is the mean latency, 0 where there were no requests.
func (t *Tally) Mean() time.Duration {
	n := t.Requests()
	if n == 0 {
		return 0
	}
	return t.took / time.Duration(n)
}

// Quantile is the latency that a share q of the requests did not exceed, 0 where there were none: the
// middle, by ratio, of the bucket that the request of that rank is in.
func (t *Tally) Quantile(q float64) time.Duration {
	total := uint64(0)
	for _, n := range t.buckets {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank := max(uint64(math.Ceil(q*float64(total))), 1)
	for b, n := range t.buckets {
		if n < rank {
			rank -= n
			continue
		}
		return time.Duration(float64(bounds[b]) / math.Sqrt(growth))
	}
	return bounds[buckets-1]
}
