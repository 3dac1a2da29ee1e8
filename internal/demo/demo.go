// Package demo is the story of the README, run: a server is started, a model goes live, is
// replaced step by step by a better one under load, a broken one is refused, one that is slow under
// load is rolled back by itself, and the first one is brought back.
// Every answer is checked against its input and the model version that its header names.
package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hotswap/examples"
	"hotswap/internal/app"
	"hotswap/internal/azure"
	"hotswap/internal/journal"
	"hotswap/internal/rollout"
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
	RolledBack   int            `json:"rolled_back"` // by themselves
	Rollbacks    int            `json:"rollbacks"`   // by hand
	SwapMS       float64        `json:"swap_ms"`     // from the first step's write of the second version to its first answer
	RollbackMS   float64        `json:"rollback_ms"` // what the rollback by hand took
	Live         string         `json:"live"`        // the deployment that is live at the end
	ByDeployment map[string]int `json:"by_deployment"`

	LastOldMS float64 `json:"-"` // from the last step's write of the second version to the last answer of the first
}

// The story's endpoint and model, as the example's files name them.
const (
	endpoint = "taxi-fare"
	model    = "taxi-fare"
)

// metricsLag is how far back the metrics of a server as slow as Azure lie. Azure's own five minutes
// would make it a long story.
const metricsLag = 2 * time.Second

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
		StateDir: filepath.Join(s.dir, "state"), Addr: "127.0.0.1:0", Guard: s.Guard, AzureLike: s.AzureLike, MetricsLag: metricsLag, Log: slog.New(slog.DiscardHandler),
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
		Cloud: s.client, Journal: journal.New(store, endpoint), Endpoint: endpoint, WriteTime: azure.RequestTimeout, MetricsLag: metricsLag,
		Told: s.checker.told, Report: s.compared,
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
