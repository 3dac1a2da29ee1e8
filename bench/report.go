package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// report is bench/RESULTS.md. The first peer is compared with each of the others.
func report(o options, peers []*peer, measured map[string]map[int]*sample, idle string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Benchmark

Written by `+"`make bench`"+` on %s: %s, %d cores, %s, Linux %s. The load generator runs on the same machine. Each
peer had %d turns of %v for each number of clients, in turns with the others; requests/s is the median of the turns, the
latencies are of all requests. Every client keeps its connection and has one request under way. All peers run the same
`+"`score.py`"+` of `+"`examples/taxi-fare`"+` with one Python worker process. Hotswap is measured as deployed, over HTTPS with a key; gunicorn's gthread worker (8 threads)
over HTTPS with the same certificate; its default worker, sync, over plain HTTP, since it closes each connection after its answer.

| clients | peer | requests/s | p50 ms | p99 ms | p99.9 ms | requests/s of hotswap to it | p50 of hotswap to it |
|---|---|---|---|---|---|---|---|
`, time.Now().Format(time.DateOnly), cpu(), runtime.NumCPU(), runtime.Version(), kernel(), o.rounds, o.each)
	for _, clients := range clientCounts {
		ours := measured[peers[0].name][clients]
		for i, p := range peers {
			s := measured[p.name][clients]
			fmt.Fprintf(&b, "| %d | %s | %.0f | %s | %s | %s |", clients, p.name, s.rate(), ms(s.quantile(0.5)), ms(s.quantile(0.99)), ms(s.quantile(0.999)))
			if i == 0 {
				b.WriteString(" | |\n")
				continue
			}
			fmt.Fprintf(&b, " %.1f | %.2f |\n", ours.rate()/s.rate(), float64(ours.quantile(0.5))/float64(s.quantile(0.5)))
		}
	}
	fmt.Fprintf(&b, "\nAn idle `hotswap serve` held %s resident.\n", idle)
	return b.String()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

// cpu is the model of the first processor.
func cpu() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, is := strings.CutPrefix(line, "model name"); is {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "of unknown release"
	}
	return strings.TrimSpace(string(release))
}
