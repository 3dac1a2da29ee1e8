package gateway

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"hotswap/internal/meter"
	"hotswap/internal/scoring"
)

func TestEveryAnswerOfADeploymentIsCounted(t *testing.T) {
	m := meter.New()
	began := time.Now().Truncate(time.Second).Add(time.Second)
	time.Sleep(time.Until(began)) // the meter begins with a whole second
	hold, inside := make(chan struct{}), make(chan struct{}, 1)
	blue := startWorker(t, func(q asked) (int, string) {
		switch string(q.body) {
		case "refuse":
			return http.StatusConflict, "no"
		case "crash":
			return 0, ""
		case "hold":
			inside <- struct{}{}
			<-hold
		}
		return http.StatusOK, "ok"
	})
	green := startWorker(t, echo("green:"))
	b, none := deployment("blue", 1, blue), deployment("none", 1)
	b.Timeout = 300 * time.Millisecond
	g := serve(t, Options{Meter: m}, endpoint(1, b, deployment("green", 1, green), none))
	f := startFront(t, g, quick)

	post(g, "x")
	converse(t, f.address, request(scoreLine, "Content-Length: 1", "Connection: close")+"y") // by the front
	post(g, "refuse")
	post(g, "crash")
	post(g, "x", scoring.Deployment, "green") // a test by name
	post(g, "x", scoring.Deployment, "none")
	post(g, "x", scoring.Deployment, "absent")
	post(g, "x", "Authorization", "Bearer wrong")

	var group sync.WaitGroup
	group.Go(func() { want(t, post(g, "hold"), http.StatusRequestTimeout, "*") })
	<-inside
	group.Go(func() { want(t, post(g, "waits in vain"), http.StatusRequestTimeout, "*") })
	eventually(t, "a request waits", func() bool {
		held := g.backends["blue-1"]
		held.mu.Lock()
		defer held.mu.Unlock()
		return held.claims == 2
	})
	want(t, post(g, "one too many"), http.StatusTooManyRequests, "")
	group.Wait()
	close(hold)

	for name, want := range map[string]map[meter.Status]uint64{
		"blue": {
			{Client: 200, Model: 200}: 2, {Client: 424, Model: 409}: 1, {Client: 424, Model: 502}: 1,
			{Client: 408}: 2, {Client: 429}: 1,
		},
		"green": {{Client: 200, Model: 200}: 1},
		"none":  {{Client: 503}: 1},
	} {
		tally, known := m.Tally("taxi", name, began, time.Now().Add(time.Second))
		if !known {
			t.Errorf("%s: not known", name)
		}
		got := map[meter.Status]uint64{}
		for _, s := range tally.Statuses {
			got[s.Status] += s.N
		}
		if len(got) != len(want) {
			t.Errorf("%s: counted %v, want %v", name, got, want)
		}
		for s, n := range want {
			if got[s] != n {
				t.Errorf("%s: %d answers %v, want %d", name, got[s], s, n)
			}
		}
		if name == "blue" && (tally.Quantile(1) < 285*time.Millisecond || tally.Quantile(0.1) > 250*time.Millisecond) {
			t.Errorf("latencies from %v to %v, want the longest to be the 300 ms of a timeout", tally.Quantile(0.1), tally.Quantile(1))
		}
	}
	if all := m.Deployments("taxi"); !slices.Equal(all, []string{"blue", "green", "none"}) {
		t.Errorf("counters of %q", all)
	}
}
