package demo

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"hotswap/internal/load"
	"hotswap/internal/rollout"
)

// clientCount is how many clients the story has.
const clientCount = 8

// checker judges answers by what each version of the model would say, and keeps the time of a swap.
type checker struct {
	mu     sync.Mutex
	models map[string]fares
	timed  swap
}

// swap is the one that is timed: the first that has an old deployment.
type swap struct {
	rollout string // "" before there is one
	old, to string
	began   time.Time // just before the first step's write
	last    time.Time // just before the last step's write; zero before it
	over    bool      // another rollout has moved traffic since
}

func newChecker() *checker { return &checker{models: map[string]fares{}} }

// knows adds a version, named as the answers name it.
func (c *checker) knows(version string, f fares) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.models[version] = f
}

// told is given every state of every rollout, and keeps the time of those before a write.
func (c *checker) told(s rollout.State, _ int) {
	if s.Phase != rollout.Swapping || s.Plan.Before.Traffic.Closed() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed.rollout == "" {
		c.timed = swap{rollout: s.ID, old: s.Plan.Before.Traffic.Live(), to: s.Plan.Slot, began: time.Now()}
	}
	switch {
	case s.ID != c.timed.rollout:
		c.timed.over = true
	case s.Step == len(s.Plan.Strategy.Steps)-1:
		c.timed.last = time.Now()
	}
}

// swap returns the swap that is timed.
func (c *checker) swap() swap {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timed
}

// check tells what is wrong with the answer to t.
func (c *checker) check(t trip, a load.Answer) error {
	if a.Status != http.StatusOK {
		return fmt.Errorf("status %d: %s", a.Status, a.Body)
	}
	version := a.Header.Get("X-Hotswap-Model")
	c.mu.Lock()
	f, known := c.models[version]
	c.mu.Unlock()
	if !known {
		return fmt.Errorf("an answer of model %q, which nobody registered", version)
	}
	var got struct {
		Fares []float64 `json:"fares"`
	}
	if err := json.Unmarshal(a.Body, &got); err != nil || len(got.Fares) != 1 {
		return fmt.Errorf("an answer that is none: %s", a.Body)
	}
	const rounding = 1e-9
	if want := f.of(t); math.Abs(got.Fares[0]-want) > rounding {
		return fmt.Errorf("model %s answered %v for %+v, want %v", version, got.Fares[0], t, want)
	}
	return nil
}

// tally is what clients saw.
type tally struct {
	requests, failed int
	byDeployment     map[string]int
	firstNew         time.Duration // from the timed swap's first write; 0 before there was one
	lastOld          time.Duration // from its last write
	faults           []string      // the first few
}

// clients are the load: they run until they are stopped.
type clients struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup
	seen   [clientCount]tally
}

func startClients(ctx context.Context, url string, conf *tls.Config, key string, check *checker) (*clients, error) {
	ctx, cancel := context.WithCancel(ctx)
	cs := &clients{cancel: cancel}
	for n := range cs.seen {
		c, err := load.NewClient(url, conf, map[string]string{"Authorization": "Bearer " + key})
		if err != nil {
			cancel()
			return nil, err
		}
		cs.seen[n].byDeployment = map[string]int{}
		cs.wait.Go(func() {
			defer c.Close()
			cs.seen[n].score(ctx, c, check, rand.New(rand.NewPCG(uint64(n), 0)))
		})
	}
	return cs, nil
}

func randomTrip(rng *rand.Rand) trip {
	return trip{
		Distance: rng.Float64() * 20, Minutes: rng.Float64() * 60, Hour: rng.IntN(24), Weekday: rng.IntN(7), Manhattan: rng.IntN(2) == 0,
	}
}

// score sends trips, one after the other, none like another.
func (s *tally) score(ctx context.Context, c *load.Client, check *checker, rng *rand.Rand) {
	for ctx.Err() == nil {
		t := randomTrip(rng)
		body, err := json.Marshal(map[string][]trip{"data": {t}})
		if err != nil {
			s.fault(err)
			return
		}
		a, err := c.Post(context.WithoutCancel(ctx), body)
		s.requests++
		if err == nil {
			err = check.check(t, a)
		}
		if err != nil {
			s.fault(err)
			continue
		}
		s.answered(a.Header.Get("Azureml-Model-Deployment"), check.swap())
	}
}

func (s *tally) answered(deployment string, w swap) {
	s.byDeployment[deployment]++
	switch {
	case w.rollout == "" || w.over:
	case deployment == w.to && s.firstNew == 0:
		s.firstNew = time.Since(w.began)
	case deployment == w.old && !w.last.IsZero():
		s.lastOld = time.Since(w.last)
	}
}

// fault counts a failed request and keeps the first few.
func (s *tally) fault(err error) {
	const most = 3
	s.failed++
	if len(s.faults) < most {
		s.faults = append(s.faults, err.Error())
	}
}

// stop ends the load and adds up what the clients saw.
func (cs *clients) stop() tally {
	cs.cancel()
	cs.wait.Wait()
	sum := tally{byDeployment: map[string]int{}, firstNew: math.MaxInt64}
	for _, s := range cs.seen {
		sum.requests += s.requests
		sum.failed += s.failed
		sum.faults = append(sum.faults, s.faults...)
		for name, n := range maps.All(s.byDeployment) {
			sum.byDeployment[name] += n
		}
		if s.firstNew > 0 {
			sum.firstNew = min(sum.firstNew, s.firstNew)
		}
		sum.lastOld = max(sum.lastOld, s.lastOld)
	}
	if sum.firstNew == math.MaxInt64 {
		sum.firstNew = 0
	}
	return sum
}
