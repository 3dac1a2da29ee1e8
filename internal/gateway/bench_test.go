package gateway

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

const benchScript = "import json\ndef init(): pass\ndef run(raw_data): return {'n': len(json.loads(raw_data)['data'])}\n"

// BenchmarkFront compares the front with net/http: HTTPS, clients that keep their connections, one
// real worker. Its allocations count both ends; those of the clients are none.
func BenchmarkFront(b *testing.B) {
	g := New(Options{})
	d := Deployment{Name: "blue", ID: "blue-1", Concurrency: 32, Timeout: 5 * time.Second, Instances: []Instance{{ID: "i", Workers: []Address{pythonWorker(b, benchScript)}}}}
	if err := g.Swap(b.Context(), endpoint(1, d)); err != nil {
		b.Fatal(err)
	}
	reference := httptest.NewUnstartedServer(g)
	reference.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	reference.StartTLS()
	defer reference.Close()
	fronts := []struct{ name, address string }{{"net-http", reference.Listener.Addr().String()}, {"own", startFront(b, g, quick).address}}
	for _, clients := range []int{1, 8} {
		for _, front := range fronts {
			b.Run(strconv.Itoa(clients)+"/"+front.name, func(b *testing.B) { benchmark(b, front.address, clients) })
		}
	}
}

func benchmark(b *testing.B, address string, clients int) {
	raw := []byte(request(scoreLine, "Content-Type: application/json", "Content-Length: 49") + `{"data":[[1.5,2,3,4,5,6,7,8,9]],"method":"xxxxx"}`)
	var group sync.WaitGroup
	took := make([][]time.Duration, clients)
	each := b.N/clients + 1
	var conns []*tls.Conn
	for n := range clients {
		conns = append(conns, dial(b, address))
		conns[n].SetDeadline(time.Time{})
		took[n] = make([]time.Duration, 0, each)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n, c := range conns {
		group.Go(func() {
			reader := bufio.NewReader(c)
			for range each {
				began := time.Now()
				if _, err := c.Write(raw); err != nil || !skipAnswer(reader) {
					b.Error("no answer", err)
					return
				}
				took[n] = append(took[n], time.Since(began))
			}
		})
	}
	group.Wait()
	b.StopTimer()
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

// skipAnswer reads an answer, and tells whether it is a 200. It does not allocate.
func skipAnswer(from *bufio.Reader) bool {
	length := 0
	for first, ok := true, false; ; first = false {
		line, err := from.ReadSlice('\n')
		switch {
		case err != nil:
			return false
		case first:
			ok = bytes.HasPrefix(line, []byte("HTTP/1.1 200 "))
		case len(line) == 2:
			_, err := from.Discard(length)
			return ok && err == nil
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			for _, digit := range line[16 : len(line)-2] {
				length = length*10 + int(digit-'0')
			}
		}
	}
}
