package meter

import (
	"sync"
	"time"
)

// maxStatuses bounds the pairs of statuses that one cell tells apart, since a model may answer with
// any status. What is beyond is counted without the model's.
const maxStatuses = 64

// Status is how an answer ended: as the client saw it, and as the model gave it, 0 where it gave none.
type Status struct{ Client, Model int }

// Counter counts the answers of one deployment.
type Counter struct {
	mu      sync.Mutex
	second  open
	minute  open
	seconds []cell // rings by time, made when there is something to count
	minutes []cell
}

// open is a cell that is being counted in.
type open struct {
	at int64 // Unix time of its beginning
	Tally
}

// cell is one that is closed: of what it has counted, only what is not zero.
type cell struct {
	at       int64 // Unix time of its beginning; another's, or 0, where the ring has no such cell
	took     time.Duration
	statuses []statusCount
	buckets  []bucketCount
}

type statusCount struct {
	client, model uint16
	n             uint32
}

type bucketCount struct {
	bucket uint16
	n      uint32
}

// Count counts an answer that is ready now, to a request that began at began. It takes the time under the
// lock: once a second is over for whoever asks, nothing is counted in it any more.
func (c *Counter) Count(began time.Time, s Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if second := now.Unix(); second > c.second.at {
		c.close(second)
	}
	c.second.add(s, 1, now.Sub(began))
}

// close begins the cell of a second. The cells of the second and of the minute before it are put away.
func (c *Counter) close(second int64) {
	if c.seconds == nil {
		c.seconds, c.minutes = make([]cell, keptSeconds), make([]cell, keptMinutes)
		c.second.Statuses, c.minute.Statuses = make([]StatusCount, 0, maxStatuses), make([]StatusCount, 0, maxStatuses)
	}
	minute := c.second.at - c.second.at%60
	if minute != c.minute.at {
		c.minute.put(c.minutes, 60)
		c.minute.at = minute
	}
	if c.second.Requests() > 0 {
		c.minute.Add(&c.second.Tally)
		c.second.put(c.seconds, 1)
	}
	c.second.at = second
}

// put puts what is counted away in its place of a ring of cells that are so many seconds long, and
// leaves o empty.
func (o *open) put(ring []cell, seconds int64) {
	if o.Requests() == 0 {
		return
	}
	to := &ring[o.at/seconds%int64(len(ring))]
	to.at, to.took = o.at, o.took
	to.statuses, to.buckets = to.statuses[:0], to.buckets[:0]
	for _, s := range o.Statuses {
		to.statuses = append(to.statuses, statusCount{uint16(s.Client), uint16(s.Model), uint32(s.N)})
	}
	for b, n := range o.buckets {
		if n > 0 {
			to.buckets = append(to.buckets, bucketCount{uint16(b), uint32(n)})
		}
	}
	o.Tally = Tally{Statuses: o.Statuses[:0]}
}

// addTo adds a cell to t.
func (c *cell) addTo(t *Tally) {
	t.took += c.took
	for _, s := range c.statuses {
		t.status(Status{int(s.client), int(s.model)}, uint64(s.n))
	}
	for _, b := range c.buckets {
		t.buckets[b.bucket] += uint64(b.n)
	}
}

// tally adds the cells to t that lie in the seconds from first up to end. Minutes stand for the
// seconds that are gone.
func (c *Counter) tally(t *Tally, first, end, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seconds == nil {
		return
	}
	if now > c.second.at {
		c.close(now)
	}
	kept := now - keptSeconds + 1
	if first < kept { // whole minutes only, up to the first whole minute of which there are seconds
		first += (60 - first%60) % 60
		for kept += (60 - kept%60) % 60; first < kept && first+60 <= end; first += 60 {
			c.addMinute(t, first)
		}
		if first < kept {
			return
		}
	}
	for ; first < end; first++ {
		if first == c.second.at {
			t.Add(&c.second.Tally)
		} else if s := &c.seconds[first%keptSeconds]; s.at == first {
			s.addTo(t)
		}
	}
}

func (c *Counter) addMinute(t *Tally, minute int64) {
	if minute == c.minute.at {
		t.Add(&c.minute.Tally)
	} else if m := &c.minutes[minute/60%keptMinutes]; m.at == minute {
		m.addTo(t)
	}
}

// forget lets go of the rings of a counter that has counted nothing for as long as they reach back.
func (c *Counter) forget(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seconds != nil && c.second.at < now.Add(-Kept-time.Minute).Unix() {
		c.second, c.minute, c.seconds, c.minutes = open{}, open{}, nil, nil
	}
}
