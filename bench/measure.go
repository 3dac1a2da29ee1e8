package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hotswap/internal/load"
)

// sample is what one peer did with one number of clients, over all rounds.
type sample struct {
	rates []float64       // requests a second, by round
	took  []time.Duration // of every request, sorted
}

// rate is the median of the rounds.
func (s *sample) rate() float64 {
	sorted := slices.Sorted(slices.Values(s.rates))
	return sorted[len(sorted)/2]
}

// quantile returns the time within which that share of the requests was answered.
func (s *sample) quantile(share float64) time.Duration {
	return s.took[min(int(share*float64(len(s.took))), len(s.took)-1)]
}

// measure gives every peer its turns, one after the other, so that all see the same machine.
func measure(ctx context.Context, o options, peers []*peer) (map[string]map[int]*sample, error) {
	body, err := os.ReadFile(filepath.Join(example, "request.json"))
	if err != nil {
		return nil, err
	}
	measured := map[string]map[int]*sample{}
	for _, p := range peers {
		measured[p.name] = map[int]*sample{}
		for _, clients := range clientCounts {
			measured[p.name][clients] = &sample{}
		}
	}
	for _, clients := range clientCounts {
		for round := range o.rounds {
			for turn := range peers {
				p := peers[(turn+round)%len(peers)]
				if err := p.turn(ctx, o.each, clients, body, measured[p.name][clients]); err != nil {
					return nil, fmt.Errorf("%s with %d clients: %w", p.name, clients, err)
				}
			}
		}
	}
	for _, p := range peers {
		for _, s := range measured[p.name] {
			slices.Sort(s.took)
		}
	}
	return measured, nil
}

// turn puts one peer under load for a while. One request that fails fails the benchmark.
func (p *peer) turn(ctx context.Context, each time.Duration, clients int, body []byte, s *sample) error {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	var (
		mu     sync.Mutex
		failed error
		took   []time.Duration
		wait   sync.WaitGroup
	)
	began := time.Now()
	for range clients {
		c, err := load.NewClient(p.url, p.tls, p.header)
		if err != nil {
			return err
		}
		wait.Go(func() {
			defer c.Close()
			mine, err := p.score(ctx, c, body)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err != nil {
				failed = err
			}
		})
	}
	wait.Wait()
	s.rates = append(s.rates, float64(len(took))/time.Since(began).Seconds())
	s.took = append(s.took, took...)
	return failed
}

// score is one client: one request under way, until ctx ends.
func (p *peer) score(ctx context.Context, c *load.Client, body []byte) (took []time.Duration, err error) {
	for ctx.Err() == nil {
		a, err := c.Post(context.WithoutCancel(ctx), body)
		if err != nil {
			return took, err
		}
		if a.Status != http.StatusOK {
			return took, fmt.Errorf("status %d: %s", a.Status, a.Body)
		}
		took = append(took, a.Took)
	}
	return took, nil
}
