package control

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotswap/internal/gateway"
	"hotswap/internal/identity"
	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

// world is what surrounds a Control: a real state file, and a launcher and a gateway that run
// nothing but write down what they are asked, and complain when it comes in the wrong order.
type world struct {
	t     tester
	dir   string
	keys  *identity.Keyring
	store *store.Store
	*Control

	mu       sync.Mutex
	report   func(workers.Event)
	journal  []string
	wrongs   []string
	running  map[string]*fakeInstance    // processes: they outlive a crash of the server
	routes   map[string]gateway.Endpoint // of this server
	undone   map[string]bool             // instances and deployments that were routed and are not drained
	swapFail error
	poll     time.Duration
	draining chan struct{} // where it is set, drains wait until it is closed
	launched int
}

// What an instance does, by this variable of its deployment: "" gets ready.
const behave = "BEHAVE"

const (
	fails = "fails"
	hangs = "hangs" // until it is told
	warns = "warns"
)

func newWorld(t *testing.T, options ...func(*Options)) *world {
	t.Helper()
	w := makeWorld(t, t.TempDir(), options...)
	t.Cleanup(w.crash)
	return w
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

func makeWorld(t tester, dir string, options ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, dir: dir, running: map[string]*fakeInstance{}, poll: 2 * time.Millisecond}
	var err error
	if w.keys, err = identity.LoadKeyring(w.dir); err != nil {
		t.Fatal(err)
	}
	w.start(options...)
	return w
}

func (w *world) start(options ...func(*Options)) {
	w.t.Helper()
	var err error
	if w.store, err = store.Open(context.Background(), filepath.Join(w.dir, "state.db")); err != nil {
		w.t.Fatal(err)
	}
	w.routes, w.undone = map[string]gateway.Endpoint{}, map[string]bool{}
	o := Options{
		Store: w.store, Gateway: (*fakeGateway)(w), Launcher: (*fakeLauncher)(w), Assets: fakeAssets{}, Keyring: w.keys,
		ScoringURI: func(e string) string { return "https://localhost/endpoints/" + e + "/score" },
	}
	for _, option := range options {
		option(&o)
	}
	w.Control = New(context.Background(), o)
	if err := w.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// crash ends the server as it is. What its transactions had not committed is lost; processes go on.
func (w *world) crash() {
	w.mu.Lock()
	w.report = func(workers.Event) {}
	w.mu.Unlock()
	w.stop()
	w.wg.Wait()
	w.store.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wrong := range w.wrongs {
		w.t.Error(wrong)
	}
	w.wrongs = nil
}

func (w *world) note(format string, args ...any) {
	w.journal = append(w.journal, fmt.Sprintf(format, args...))
}

func (w *world) wrong(format string, args ...any) {
	w.wrongs = append(w.wrongs, fmt.Sprintf(format, args...)+"\nafter "+strings.Join(w.journal[max(0, len(w.journal)-12):], ", "))
}

// row reads the row of an instance.
func (w *world) row(id string) (found store.Instance, ok bool) {
	_ = w.store.View(context.Background(), func(tx *store.Tx) error {
		rows, err := tx.Instances(context.Background(), "")
		for _, row := range rows {
			if row.ID == id {
				found, ok = row, true
			}
		}
		return err
	})
	return found, ok
}

func (fakeAssets) Resolve(_ context.Context, ref online.Ref) (online.Ref, error) {
	switch ref.Version {
	case "0":
		return online.Ref{}, online.Errorf(online.NotFound, "%s was not found", ref)
	case "@latest":
		ref.Version = "9"
	}
	return ref, nil
}

func (fakeAssets) Conda(_ context.Context, ref online.Ref) (string, error) {
	return "conda " + ref.Version, nil
}

// What tests ask of a world.

func (w *world) endpoint(shares map[string]int) error {
	_, err := w.putEndpoint(online.Endpoint{Name: "taxi"}, shares)
	return err
}

func (w *world) putEndpoint(e online.Endpoint, shares map[string]int) (online.Operation, error) {
	traffic, err := online.NewTraffic(shares)
	if err != nil {
		return online.Operation{}, err
	}
	e.Traffic = traffic
	_, o, _, err := w.PutEndpoint(context.Background(), e)
	return o, err
}

// deployment is the desired state of a deployment of taxi.
func deployment(name, model string, change ...func(*online.Deployment)) online.Deployment {
	d := online.Deployment{
		Endpoint: "taxi", Name: name, InstanceType: "Standard_DS3_v2", InstanceCount: 1,
		Model:       online.Ref{Kind: online.Models, Name: "fare", Version: model},
		Code:        online.CodeConfiguration{Code: online.Ref{Kind: online.Codes, Name: "code", Version: "1"}, Script: "score.py"},
		Environment: online.Ref{Kind: online.Environments, Name: "env", Version: "1"},
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func that(behaves string) func(*online.Deployment) {
	return func(d *online.Deployment) { d.Variables = map[string]string{behave: behaves} }
}

func instances(n int) func(*online.Deployment) {
	return func(d *online.Deployment) { d.InstanceCount = n }
}

func (w *world) put(d online.Deployment) (online.Operation, error) {
	_, o, _, err := w.PutDeployment(context.Background(), d)
	return o, err
}

// deploy puts a deployment and waits for its operation to end.
func (w *world) deploy(d online.Deployment) online.Operation {
	w.t.Helper()
	return w.ended(w.put(d))
}

// ended waits for the end of an operation that was begun without an error.
func (w *world) ended(o online.Operation, err error) online.Operation {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the operation ends", func() bool {
		o, err = w.Operation(context.Background(), o.ID)
		return err != nil || o.Status != online.InProgress
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) succeeded(o online.Operation, err error) {
	w.t.Helper()
	if o := w.ended(o, err); o.Status != online.OperationSucceeded {
		w.t.Fatalf("operation %+v, want one that succeeded", o)
	}
}

func (w *world) eventually(what string, is func() bool, why ...func() string) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(w.poll) {
		if time.Now().After(end) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, because := range why {
				what += ": " + because()
			}
			w.t.Fatalf("waited too long until %s; journal %q", what, w.journal)
		}
	}
}

// live returns the model versions of the instances that the routes name for a deployment.
func (w *world) live(name string) (models []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.routes["taxi"].Deployments {
		if d.Name != name {
			continue
		}
		for _, i := range d.Instances {
			if f := w.running[i.ID]; f != nil {
				models = append(models, f.Model.Version)
			}
		}
	}
	return models
}

// up returns how many instances there are by deployment and model version.
func (w *world) up() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	up := map[string]int{}
	for _, f := range w.running {
		up[f.Deployment+" "+f.Model.Version]++
	}
	return up
}

func (w *world) starts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.launched
}

func (w *world) diary() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.journal)
}

// quiet waits until no operation is under way.
func (w *world) quiet() {
	w.t.Helper()
	w.eventually("no operation is under way", func() bool {
		s, err := w.load(context.Background(), "taxi")
		return err == nil && len(s.running) == 0
	})
}

func codeOf(err error) online.Code {
	if err == nil {
		return ""
	}
	return online.CodeOf(err)
}

var errSwap = errors.New("no worker there")
