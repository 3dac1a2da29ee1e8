package rollout

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"hotswap/internal/azure"
	"hotswap/internal/blob"
	"hotswap/internal/checks"
	"hotswap/internal/journal"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// fakeCloud is a workspace with one endpoint, in memory. The hooks are called with its lock held.
type fakeCloud struct {
	mu          sync.Mutex
	endpoint    *online.Endpoint // nil: there is none
	deployments map[string]azure.Deployment
	writes      []string
	creations   int

	onRead   func(*online.Endpoint)                      // changes what a read of the endpoint shows
	onPut    func(online.Endpoint) error                 // instead of a write of the endpoint
	readable func() error                                // before a read of the endpoint; the lock is not held
	onList   func() error                                // before a list of the deployments
	onKeep   func() error                                // before a write of a deployment
	onDelete func() error                                // instead of a deletion
	score    func(context.Context) (azure.Answer, error) // instead of an answer that passes

	code         map[string]azure.Code         // by folder, or by the short form of what is registered
	environments map[string]online.Environment // by short form
	instanceType string                        // that deployments have whatever is written; "" for what is

	metrics func(azure.MetricsQuery) ([]azure.MetricsPoint, error) // instead of healthy ones
	ahead   time.Duration                                          // of the service's clock
}

func newFakeCloud() *fakeCloud { return &fakeCloud{deployments: map[string]azure.Deployment{}} }

func (f *fakeCloud) Endpoint(ctx context.Context, name string) (online.Endpoint, error) {
	if f.readable != nil {
		if err := f.readable(); err != nil {
			return online.Endpoint{}, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return online.Endpoint{}, online.Errorf(online.Unavailable, "read endpoint: %w", ctx.Err())
	}
	if f.endpoint == nil {
		return online.Endpoint{}, online.Errorf(online.NotFound, "endpoint %s was not found", name)
	}
	e := *f.endpoint
	if f.onRead != nil {
		f.onRead(&e)
	}
	return e, nil
}

func (f *fakeCloud) PutEndpoint(_ context.Context, e online.Endpoint) (online.Endpoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onPut != nil {
		return e, f.onPut(e)
	}
	f.writes = append(f.writes, "traffic "+e.Traffic.String())
	f.put(e)
	return e, nil
}

func (f *fakeCloud) put(e online.Endpoint) {
	e.State = online.Succeeded
	e.Properties = map[string]string{online.RoutesAtOnce: "yes", online.MetricsAtOnce: "PT1S", online.Parking: "yes"}
	f.endpoint = &e
}

func (f *fakeCloud) Deployment(ctx context.Context, _, name string) (azure.Deployment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, there := f.deployments[name]
	switch {
	case name == "" || ctx.Err() != nil:
		return d, online.Errorf(online.Unavailable, "read deployment %q: %w", name, ctx.Err())
	case !there:
		return d, online.Errorf(online.NotFound, "deployment %s was not found", name)
	}
	return d, nil
}

func (f *fakeCloud) Deployments(context.Context, string) ([]azure.Deployment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onList != nil {
		if err := f.onList(); err != nil {
			return nil, err
		}
	}
	return slices.Collect(maps.Values(f.deployments)), nil
}

func (f *fakeCloud) PutDeployment(_ context.Context, d online.Deployment) (azure.Deployment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onKeep != nil {
		if err := f.onKeep(); err != nil {
			return azure.Deployment{}, err
		}
	}
	f.writes = append(f.writes, "deployment "+d.Name+" "+d.Description)
	d.InstanceType = cmp.Or(f.instanceType, d.InstanceType)
	d.CreatedAt, d.State = f.deployments[d.Name].CreatedAt, online.Succeeded
	if d.CreatedAt.IsZero() {
		f.creations++
		d.CreatedAt = time.Unix(int64(f.creations), 0)
	}
	return f.keep(d), nil
}

// keep stores a deployment with the fingerprint of what it says.
func (f *fakeCloud) keep(d online.Deployment) azure.Deployment {
	kept := azure.Deployment{Deployment: d, Fingerprint: fmt.Sprint(d.CreatedAt.Unix(), d.Description, d.InstanceCount, d.Tags[online.TagRollout])}
	f.deployments[d.Name] = kept
	return kept
}

func (f *fakeCloud) DeleteDeployment(_ context.Context, _, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onDelete != nil {
		return f.onDelete()
	}
	f.writes = append(f.writes, "delete "+name)
	delete(f.deployments, name)
	return nil
}

func (f *fakeCloud) Logs(context.Context, string, string, string, int) (string, error) {
	return "", nil
}

func (f *fakeCloud) Model(_ context.Context, name, version string) (online.Model, error) {
	return online.Model{Asset: online.Asset{Ref: online.Ref{Kind: online.Models, Name: name, Version: version}}}, nil
}

func (f *fakeCloud) LatestModel(ctx context.Context, name string) (online.Model, error) {
	return f.Model(ctx, name, "1")
}

func (f *fakeCloud) RegisterModel(_ context.Context, m online.Model, _ string) (online.Model, error) {
	return m, nil
}

func (f *fakeCloud) UploadCode(context.Context, string) (online.Ref, error) {
	return online.Ref{Kind: online.Codes, Name: "code", Version: "1"}, nil
}

func (f *fakeCloud) FindCode(_ context.Context, dir string) (azure.Code, error) {
	return f.code[dir], nil
}

func (f *fakeCloud) Code(_ context.Context, ref online.Ref) (azure.Code, error) {
	c, there := f.code[ref.String()]
	if !there {
		return c, online.Errorf(online.NotFound, "code %s was not found", ref)
	}
	return c, nil
}

func (f *fakeCloud) Environment(_ context.Context, ref online.Ref) (online.Environment, error) {
	e, there := f.environments[ref.String()]
	if !there {
		return e, online.Errorf(online.NotFound, "environment %s was not found", ref)
	}
	e.Ref = ref
	return e, nil
}

func (f *fakeCloud) PutEnvironment(_ context.Context, e online.Environment) (online.Ref, error) {
	return e.Ref, nil
}

func (f *fakeCloud) ScoringKey(context.Context, online.Endpoint) (string, error) { return "key", nil }

func (f *fakeCloud) Score(ctx context.Context, r azure.Request) (azure.Answer, error) {
	if f.score != nil {
		return f.score(ctx)
	}
	return azure.Answer{Status: 200, Deployment: r.Deployment, Body: []byte("[1]")}, nil
}

// Now runs ahead of the clock by what the test has let pass.
func (f *fakeCloud) Now() time.Time { return time.Now().Add(f.ahead) }

// Metrics answers with what the test says of a deployment, and else with a healthy one.
func (f *fakeCloud) Metrics(_ context.Context, q azure.MetricsQuery) ([]azure.MetricsPoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.metrics != nil {
		return f.metrics(q)
	}
	return []azure.MetricsPoint{answered(1000, 0, 10*time.Millisecond)}, nil
}

// answered is one point of requests, some of which failed.
func answered(requests, failed float64, latency time.Duration) azure.MetricsPoint {
	return azure.MetricsPoint{
		Known: true, Requests: requests, ByStatus: map[int]float64{200: requests - failed, 424: failed}, P50: latency, P99: 2 * latency,
	}
}

// rig is a runner over a fake cloud, with its journal in a real blob store.
type rig struct {
	*Runner
	cloud *fakeCloud
	store *container.Client // of the journal
}

func newRig(t *testing.T) *rig {
	t.Helper()
	key := []byte("the key of the account")
	store, err := blob.New(blob.Options{Dir: t.TempDir(), Account: "acct", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CreateContainer("box"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	cred, err := container.NewSharedKeyCredential("acct", base64.StdEncoding.EncodeToString(key))
	if err != nil {
		t.Fatal(err)
	}
	c, err := container.NewClientWithSharedKeyCredential(server.URL+"/acct/box", cred, nil)
	if err != nil {
		t.Fatal(err)
	}
	cloud := newFakeCloud()
	return &rig{&Runner{Cloud: cloud, Journal: journal.New(c, "e"), Endpoint: "e", Say: t.Logf, WriteTime: time.Minute}, cloud, c}
}

func request(version string) Request {
	var req Request
	req.Endpoint.Name = "e"
	req.Deployment = spec.Deployment{Deployment: online.Deployment{Description: version, Model: online.Ref{Kind: online.Models, Name: "m", Version: version}}}
	req.ModelVersion, req.Strategy = FromFile, DefaultStrategy()
	return req
}

// wanting is the test that a candidate answers so; "" takes any answer.
func wanting(answer string) Tests {
	var want []byte
	if answer != "" {
		want = []byte(answer)
	}
	return Tests{Suite: checks.Single([]byte("{}"), want, 0)}
}

// live puts versions live, one after the other.
func (r *rig) live(t *testing.T, versions ...string) {
	t.Helper()
	for _, v := range versions {
		if s, err := r.Rollout(t.Context(), request(v), wanting(""), false); err != nil || s.Phase != Promoted {
			t.Fatalf("rollout of %s ended %s: %v", v, s.Phase, err)
		}
	}
}

// cut leaves a rollout as a process leaves it that is killed in the phase given: in the journal,
// with a lock that the next one may take.
func (r *rig) cut(t *testing.T, p Phase, plan func(*State)) State {
	t.Helper()
	turn, err := r.open(t.Context(), "cut off", takeable, false)
	if err != nil {
		t.Fatal(err)
	}
	plan(&turn.state)
	if err := turn.enter(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := turn.lease.release(t.Context()); err != nil {
		t.Fatal(err)
	}
	return turn.state
}

// newest is the state that the journal has last.
func (r *rig) newest(t *testing.T) State {
	t.Helper()
	_, s, _, err := r.Runner.newest(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// blobs are the texts of all blobs of the journal's store, by name.
func (r *rig) blobs(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for pager := r.store.NewListBlobsFlatPager(nil); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Segment.BlobItems {
			body, err := r.store.NewBlobClient(*item.Name).DownloadStream(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(body.Body)
			if err != nil {
				t.Fatal(err)
			}
			texts[*item.Name] = string(text)
		}
	}
	return texts
}
