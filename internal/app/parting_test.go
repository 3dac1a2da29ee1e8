package app_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"hotswap/internal/load"
)

// Every client that is at work learns by an answer that the server stops: none finds its
// connection closed when it has sent a request on it.
func TestStopTellsEveryClient(t *testing.T) {
	t.Parallel()
	server, stop := start(t, options(stateDir(t)))
	conf := server.http.Transport.(*http.Transport).TLSClientConfig.Clone()
	conf.NextProtos = nil // no HTTP/2, which the load does not speak
	var group sync.WaitGroup
	told := make([]string, 16)
	var atWork sync.WaitGroup
	for n := range told {
		c, err := load.NewClient(server.URL()+"/endpoints/none/score", conf, nil)
		must(t, c, err)
		atWork.Add(1)
		group.Go(func() { told[n] = untilTold(t, c, atWork.Done) })
	}
	atWork.Wait()
	stop()
	group.Wait()
	for n, how := range told {
		if how != "" {
			t.Errorf("client %d: %s", n, how)
		}
	}
}

// untilTold sends one request after the other until an answer ends the connection, and says how
// it ended otherwise. It reports that it is at work once the first was answered.
func untilTold(t *testing.T, c *load.Client, atWork func()) string {
	t.Helper()
	defer c.Close()
	for n := 0; ; n++ {
		answer, err := c.Post(t.Context(), []byte("{}"))
		if n == 0 {
			atWork()
		}
		switch {
		case err != nil:
			return fmt.Sprintf("request %d: %v", n, err)
		case answer.Header.Get("Connection") == "close":
			return ""
		case answer.Status != http.StatusNotFound:
			return fmt.Sprintf("request %d: status %d", n, answer.Status)
		}
	}
}
