// Package demo is the story of the README, run: a server is started, a model goes live, is
// replaced by a better one under load, a broken one is refused, and the first one is brought back.
// Every answer is checked against its input and the model version that its header names.
package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hotswap/examples"
	"hotswap/internal/app"
	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/journal"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
	"hotswap/internal/spec"
)

// Options is what the story needs of its teller.
type Options struct {
	Guard     []string                         // the command line of the guard, as app.Options has it
	AzureLike bool                             // against a server as slow as Azure
	Say       func(format string, args ...any) // tells the story, line by line
}

// Summary is how it ended.
type Summary struct {
	Requests     int            `json:"requests"`
	Failed       int            `json:"failed"` // without an answer, with a status other than 200, or with a wrong answer
	Rollouts     int            `json:"rollouts"`
	Refused      int            `json:"refused"`
	Rollbacks    int            `json:"rollbacks"`
	SwapMS       float64        `json:"swap_ms"` // from the second swap's start to the first answer of the new model
	Live         string         `json:"live"`    // the deployment that is live at the end
	ByDeployment map[string]int `json:"by_deployment"`

	LastOldMS float64 `json:"-"` // from the second swap's start to the last answer of the old model
}

// The story's endpoint and model, as the example's files name them.
const (
	endpoint = "taxi-fare"
	model    = "taxi-fare"
)

// story is what the scenes share.
type story struct {
	Options
	dir     string
	server  *app.App
	client  *azure.Client
	runner  *rollout.Runner
	checker *checker
	summary Summary
}

// Run tells the story in a temporary folder and on a free port, and leaves nothing behind.
func Run(ctx context.Context, o Options) (sum Summary, err error) {
	dir, err := os.MkdirTemp("", "hotswap-demo-")
	if err != nil {
		return sum, err
	}
	s := &story{Options: o, dir: dir, checker: newChecker()}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	stop, err := s.serve(ctx)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := s.connect(ctx); err != nil {
		return sum, err
	}
	err = s.tell(ctx)
	return s.summary, err
}

// serve starts the server and returns what stops it.
func (s *story) serve(ctx context.Context) (stop func() error, err error) {
	s.server, err = app.New(ctx, app.Options{
		StateDir: filepath.Join(s.dir, "state"), Addr: "127.0.0.1:0", Guard: s.Guard, AzureLike: s.AzureLike, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	s.Say("The server runs at %s.", s.server.URL())
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.server.Run(running) }()
	return func() error {
		cancel()
		stopping, done := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer done()
		return errors.Join(<-ended, s.server.Stop(stopping))
	}, nil
}

// connect signs in with the service principal that the server made.
func (s *story) connect(ctx context.Context) (err error) {
	if err := copyExample(filepath.Join(s.dir, endpoint)); err != nil {
		return err
	}
	s.client, err = azure.Dial(ctx, azure.Options{
		CredentialsFile: s.server.CredentialsFile(), Getenv: s.getenv, Dir: s.dir,
	})
	if err != nil {
		return err
	}
	store, err := s.client.Container(ctx)
	if err != nil {
		return err
	}
	s.runner = &rollout.Runner{
		Cloud: s.client, Journal: journal.New(store, endpoint), Endpoint: endpoint, WriteTime: azure.RequestTimeout, MetricsLag: rollout.MetricsLag,
		Say: func(format string, args ...any) { s.Say("    "+format, args...) },
	}
	return nil
}

// getenv is the environment of the pipeline's commands: the local CA, and nothing of the caller's.
func (s *story) getenv(name string) string {
	if name == "SSL_CERT_FILE" {
		return s.server.CAFile()
	}
	return ""
}

func copyExample(dir string) error {
	sub, err := fs.Sub(examples.TaxiFare, "taxi-fare")
	if err != nil {
		return err
	}
	return os.CopyFS(dir, sub)
}

// tell plays the scenes in order.
func (s *story) tell(ctx context.Context) error {
	if err := s.first(ctx); err != nil {
		return err
	}
	e, err := s.client.Endpoint(ctx, endpoint)
	if err != nil {
		return err
	}
	key, err := s.client.ScoringKey(ctx, e)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(s.server.CAFile())
	if err != nil {
		return err
	}
	roots.AppendCertsFromPEM(pem)
	clients, err := startClients(ctx, e.ScoringURI, &tls.Config{RootCAs: roots}, key, s.checker)
	if err != nil {
		return err
	}
	s.Say("8 clients score trips, each its own, and check every answer.")
	err = s.underLoad(ctx)
	s.finish(clients.stop())
	return err
}

// first puts the first model live.
func (s *story) first(ctx context.Context) error {
	s.Say("Version 1: a model that knows the distance only.")
	if err := s.train(ctx, "1", "distance"); err != nil {
		return err
	}
	if err := s.rollout(ctx); err != nil {
		return err
	}
	return s.answers(ctx)
}

// answers waits until the endpoint does: where routes follow late, it has none at first.
func (s *story) answers(ctx context.Context) error {
	_, tests, err := s.request()
	if err != nil {
		return err
	}
	e, err := s.client.Endpoint(ctx, endpoint)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		a, err := s.client.Score(ctx, azure.Request{Endpoint: e, Body: tests.Suite.Requests()[0].Body})
		if err == nil && a.Status == http.StatusOK {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("the endpoint does not answer: %w", err)
		}
	}
}

// underLoad is what happens while the clients score.
func (s *story) underLoad(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{pause, s.second, pause, s.third, pause, s.back, pause} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pause lets the load go on for a moment between the scenes.
func pause(ctx context.Context) error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *story) second(ctx context.Context) error {
	s.Say("Version 2: a better model, with the time, the hour and the place.")
	if err := s.train(ctx, "2", "all"); err != nil {
		return err
	}
	return s.rollout(ctx)
}

// broken is how many a score.py goes wrong: it answers its error's text with status 200.
const broken = `def init():
    pass


def run(raw_data):
    try:
        return 1 / 0
    except Exception as error:
        return str(error)
`

func (s *story) third(ctx context.Context) error {
	s.Say("Version 3: a score.py that answers its error with status 200.")
	if err := s.train(ctx, "3", "all"); err != nil {
		return err
	}
	before, err := s.client.Endpoint(ctx, endpoint)
	if err != nil {
		return err
	}
	good := filepath.Join(s.dir, endpoint, "src")
	if err := os.WriteFile(filepath.Join(good, "score.py"), []byte(broken), 0o644); err != nil {
		return err
	}
	err = s.rollout(ctx)
	if online.CodeOf(err) != online.Refused {
		return fmt.Errorf("version 3 was not refused: %w", err)
	}
	s.summary.Refused++
	s.Say("    refused: %v", err)
	after, err := s.client.Endpoint(ctx, endpoint)
	if err != nil {
		return err
	}
	if !after.Traffic.Equal(before.Traffic) {
		return fmt.Errorf("the traffic was %s before the refusal and is %s", before.Traffic, after.Traffic)
	}
	s.Say("    the traffic is still %s", after.Traffic)
	return nil
}

func (s *story) back(ctx context.Context) error {
	s.Say("Back to version 1: hotswap rollback.")
	state, already, err := s.runner.Rollback(ctx, "the demo")
	if err != nil {
		return err
	}
	if already {
		return fmt.Errorf("nothing was rolled back: the traffic is %s", state.Plan.After)
	}
	s.summary.Rollbacks++
	s.summary.Live = state.Plan.After.Live()
	s.Say("    live is %s with %s", s.summary.Live, state.Plan.Model)
	return nil
}

// rollout deploys what the example's files say, tests it and swaps it live.
func (s *story) rollout(ctx context.Context) error {
	req, tests, err := s.request()
	if err != nil {
		return err
	}
	deployed, err := s.runner.Deploy(ctx, req)
	if err != nil {
		return err
	}
	if _, err := s.runner.Test(ctx, deployed.ID, tests); err != nil {
		return err
	}
	s.checker.swapBegins(deployed.Plan.Before.Traffic.Live(), deployed.Plan.Slot)
	state, _, err := s.runner.Swap(ctx, deployed.ID, false, rollout.DefaultStrategy())
	if err != nil {
		return err
	}
	s.summary.Rollouts++
	s.summary.Live = state.Plan.Slot
	return nil
}

// The test of every version, as the example has it: within a dollar and a half of the published fare.
const tolerance = 1.5

func (s *story) request() (req rollout.Request, tests rollout.Tests, err error) {
	dir := filepath.Join(s.dir, endpoint)
	if req.Endpoint, err = spec.ReadEndpoint(filepath.Join(dir, "endpoint.yml")); err != nil {
		return req, tests, err
	}
	if req.Deployment, err = spec.ReadDeployment(filepath.Join(dir, "deployment.yml")); err != nil {
		return req, tests, err
	}
	req.ModelVersion, req.Reason = rollout.Latest, "the demo"
	trip, err := os.ReadFile(filepath.Join(dir, "request.json"))
	if err != nil {
		return req, tests, err
	}
	fare, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	tests.Suite = checks.Single(trip, fare, tolerance)
	return req, tests, err
}

// shownFaults is how many failed requests are told of.
const shownFaults = 5

// finish adds up what the clients saw.
func (s *story) finish(seen tally) {
	s.summary.Requests, s.summary.Failed = seen.requests, seen.failed
	s.summary.ByDeployment = seen.byDeployment
	s.summary.SwapMS, s.summary.LastOldMS = milliseconds(seen.firstNew), milliseconds(seen.lastOld)
	for _, fault := range seen.faults[:min(len(seen.faults), shownFaults)] {
		s.Say("failed: %s", strings.TrimSpace(fault))
	}
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
