// Command bench measures a deployment of examples/taxi-fare against the same score.py under Flask
// and gunicorn, in one run, in turns, and writes bench/RESULTS.md. Run it by make bench.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// clientCounts is how many clients a run has, one row each.
var clientCounts = []int{1, 8, 32}

// options is how much is measured.
type options struct {
	rounds int
	each   time.Duration // of one run of one peer
	out    string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often every peer has its turn")
	flag.DurationVar(&o.each, "each", 3*time.Second, "how long a turn is")
	flag.StringVar(&o.out, "out", "bench/RESULTS.md", "the file to write")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "hs-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	model, err := train(ctx, filepath.Join(dir, "model"))
	if err != nil {
		return err
	}
	ours, idle, err := startHotswap(ctx, dir, model)
	if err != nil {
		return err
	}
	defer ours.stop()
	peers := []*peer{ours}
	for _, class := range []string{"gthread", "sync"} {
		p, err := startGunicorn(ctx, class, filepath.Dir(model), ours)
		if err != nil {
			return err
		}
		defer p.stop()
		peers = append(peers, p)
	}
	measured, err := measure(ctx, o, peers)
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, []byte(report(o, peers, measured, idle)), 0o644)
}
