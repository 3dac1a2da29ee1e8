package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/identity"
	"hotswap/internal/online"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newStore(t *testing.T) *Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "state.db"))
}

// taxi is an endpoint row with something in every field that is kept.
func taxi() Endpoint {
	return Endpoint{
		Endpoint: online.Endpoint{
			Name: "taxi", Location: "local", Description: "fares", Tags: map[string]string{"team": "rides"},
			Properties: map[string]string{"a": "b"}, AuthMode: online.KeyAuth,
			Identity: online.Identity{Type: "UserAssigned", UserAssigned: []string{"/subscriptions/s"}}, PublicNetworkAccess: "Enabled",
			Traffic: online.AllTo("blue"), Mirror: online.Mirror{Deployment: "green", Percent: 10}, State: online.Updating,
			CreatedAt: time.Unix(1, 2).UTC(), ModifiedAt: time.Unix(3, 4).UTC(), CreatedBy: "me",
		},
		SealedKeys: []byte{1, 2, 3}, Fence: 7, Revision: 9,
	}
}

func blue() Deployment {
	v := Version{
		Deployment: online.Deployment{
			Endpoint: "taxi", Name: "blue", Model: online.Ref{Kind: online.Models, Name: "fare", Version: "3"},
			Variables: map[string]string{"A": "1"}, InstanceCount: 2, DataCollector: []byte(`{"x":1}`),
			Request: online.RequestSettings{Timeout: time.Second}, Readiness: online.DefaultProbe(),
		},
		Conda: "dependencies: []", Launch: "abc",
	}
	served := v
	served.InstanceCount = 1
	return Deployment{
		Endpoint: "taxi", Name: "blue", Incarnation: "one", Desired: v, Served: &served,
		State: online.Succeeded, Warning: "old python", Revision: 4,
	}
}

func traffic(a, b online.Traffic) bool { return a.Equal(b) }

func TestRowsComeBackAsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, ctx := open(t, path), t.Context()
	operation := online.Operation{
		ID: "o", Endpoint: "taxi", Deployment: "blue", Deletes: true, Status: online.InProgress,
		ErrorCode: "c", ErrorMessage: "m", StartedAt: time.Unix(5, 6).UTC(),
	}
	instance := Instance{ID: "i", Endpoint: "taxi", Deployment: "blue", Launch: "abc"}
	err := s.Update(ctx, func(tx *Tx) error {
		return errors.Join(tx.PutEndpoint(ctx, taxi()), tx.PutDeployment(ctx, blue()), tx.AddInstance(ctx, instance),
			tx.SetGuard(ctx, "i", 42, 1<<40), tx.KeepInstance(ctx, "i"), tx.PutOperation(ctx, operation))
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, path)
	instance.PID, instance.StartTime, instance.Kept = 42, 1<<40, true
	err = s.View(ctx, func(tx *Tx) error {
		e, err1 := tx.Endpoints(ctx)
		d, err2 := tx.Deployments(ctx, "taxi")
		i, err3 := tx.Instances(ctx, "taxi")
		o, err4 := tx.Running(ctx, "taxi")
		got, want := []any{e, d, i, o}, []any{[]Endpoint{taxi()}, []Deployment{blue()}, []Instance{instance}, []online.Operation{operation}}
		if diff := cmp.Diff(want, got, cmp.Comparer(traffic)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return errors.Join(err1, err2, err3, err4)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	refused := errors.New("refused")
	tests := map[string]struct {
		change func(context.Context, *Tx) error
		code   online.Code
	}{
		"the change fails": {func(ctx context.Context, tx *Tx) error { return refused }, online.Internal},
		"an instance without a deployment": {func(ctx context.Context, tx *Tx) error {
			return tx.AddInstance(ctx, Instance{ID: "i", Endpoint: "taxi", Deployment: "none"})
		}, online.Internal},
		"a deployment with instances is deleted": {func(ctx context.Context, tx *Tx) error {
			return errors.Join(tx.PutDeployment(ctx, blue()), tx.AddInstance(ctx, Instance{ID: "i", Endpoint: "taxi", Deployment: "blue"}),
				tx.DeleteDeployment(ctx, "taxi", "blue"))
		}, online.Internal},
		"the disc is full": {func(ctx context.Context, tx *Tx) error {
			return tx.put(ctx, "INSERT INTO settings (name, value) VALUES ('big', zeroblob(1000000))")
		}, online.Unavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, ctx := newStore(t), t.Context()
			if _, err := s.db.ExecContext(ctx, "PRAGMA max_page_count = 60"); err != nil {
				t.Fatal(err)
			}
			err := s.Update(ctx, func(tx *Tx) error {
				if _, err := tx.NextRevision(ctx); err != nil {
					return err
				}
				if err := tx.PutEndpoint(ctx, taxi()); err != nil {
					return err
				}
				return tt.change(ctx, tx)
			})
			if err == nil || online.CodeOf(err) != tt.code {
				t.Errorf("error %v of code %s, want %s", err, online.CodeOf(err), tt.code)
			}
			err = s.Update(ctx, func(tx *Tx) error {
				if e, err := tx.Endpoints(ctx); len(e) != 0 || err != nil {
					t.Errorf("endpoints %v, %v; want none", e, err)
				}
				if n, err := tx.NextRevision(ctx); n != 1 || err != nil {
					t.Errorf("revision %d, %v; want 1", n, err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUpdateEndsWithItsContext(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx *Tx) error {
		err := tx.PutEndpoint(ctx, taxi())
		cancel()
		return err
	})
	if err == nil {
		t.Error("a transaction was committed whose context had ended")
	}
	if err := s.View(t.Context(), func(tx *Tx) error { _, err := tx.Endpoint(t.Context(), "taxi"); return err }); online.CodeOf(err) != online.NotFound {
		t.Errorf("error %v, want that there is no endpoint", err)
	}
}

func TestWritesAreOnTheDisc(t *testing.T) {
	s := newStore(t)
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000", "user_version": "2"} {
		var got string
		if err := s.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", pragma, got, err, want)
		}
	}
}

func TestFileIsTheOwnersOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	if err := s.PutSetting(t.Context(), "a", []byte("b")); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(path + suffix); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("state.db%s: %v, %v; want mode 0600", suffix, info.Mode(), err)
		}
	}
}

func TestOpenRefusesANewerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	if _, err := s.db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s, err := Open(t.Context(), path); err == nil {
		s.Close()
		t.Error("a file of version 99 was opened")
	}
}

func TestKeysAreNotWrittenInTheClear(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, ctx := open(t, path), t.Context()
	e := taxi()
	e.Keys = online.Keys{Primary: "hunter2hunter2"}
	if err := s.Update(ctx, func(tx *Tx) error { return tx.PutEndpoint(ctx, e) }); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		if content, err := os.ReadFile(path + suffix); err != nil || bytes.Contains(content, []byte("hunter2")) {
			t.Errorf("state.db%s holds the key (%v)", suffix, err)
		}
	}
}

func TestOperationsAreForgotten(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	now := time.Now()
	err := s.Update(ctx, func(tx *Tx) error {
		for id, ended := range map[string]time.Time{"old": now.Add(-2 * time.Hour), "new": now, "running": {}} {
			if err := tx.PutOperation(ctx, online.Operation{ID: id, EndedAt: ended, StartedAt: now.Add(-3 * time.Hour)}); err != nil {
				return err
			}
		}
		return tx.ForgetOperations(ctx, now.Add(-time.Hour))
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]online.Code{"old": online.NotFound, "new": "", "running": ""} {
		err := s.View(ctx, func(tx *Tx) error { _, err := tx.Operation(ctx, id); return err })
		if got := codeOf(err); got != want {
			t.Errorf("operation %s: %v, want %q", id, err, want)
		}
	}
}

func codeOf(err error) online.Code {
	if err == nil {
		return ""
	}
	return online.CodeOf(err)
}

func TestPrincipals(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	record := func(id string) identity.Record {
		return identity.Record{
			Principal: identity.Principal{
				ClientID: id, TenantID: "t", ObjectID: "o", Name: "n",
				Roles: []identity.Assignment{{Role: identity.Owner}, {Role: identity.Reader, Endpoint: "taxi"}},
			},
			Secret: identity.HashSecret(id), CreatedAt: time.Unix(7, 8).UTC(),
			Federated: []identity.Federated{{Issuer: "https://i", Audience: "a", Subjects: []string{"s", "t"}, Claims: map[string]string{"repository_id": "1"}}},
		}
	}
	want := []identity.Record{record("c"), record("d")}
	want[1].Name = "changed"
	for _, r := range []identity.Record{record("c"), record("d"), want[1], record("e")} {
		if err := s.PutPrincipal(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // one that is gone is none to delete
		if err := s.DeletePrincipal(ctx, "e"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Principals(ctx)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// A state folder of version 1 goes on working, with what its principal could do: everything.
func TestPrincipalsOfVersion1(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "state.db"), t.Context()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	hash := identity.HashSecret("secret")
	for _, statement := range []string{schema, "PRAGMA user_version = 1"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(`INSERT INTO principals VALUES ('c', ?, 't', 'o', 'hotswap', '["Owner"]')`, hash[:]); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := []identity.Record{{
		Principal: identity.Principal{ClientID: "c", TenantID: "t", ObjectID: "o", Name: "hotswap", Roles: []identity.Assignment{{Role: identity.Owner}}},
		Secret:    hash,
	}}
	got, err := s.Principals(ctx)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := s.PutPrincipal(ctx, got[0]); err != nil {
		t.Error(err)
	}
}

// Of many who use the same thing at once, one is the first; after its time it is forgotten.
func TestSpend(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	until := time.Now().Add(time.Hour)
	var firsts atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			first, err := s.Spend(ctx, "one", until)
			if err != nil {
				t.Error(err)
			}
			if first {
				firsts.Add(1)
			}
		})
	}
	group.Wait()
	if firsts.Load() != 1 {
		t.Errorf("%d of 8 were first", firsts.Load())
	}
	if first, err := s.Spend(ctx, "two", time.Now().Add(-time.Hour)); !first || err != nil {
		t.Errorf("another one: %v, %v", first, err)
	}
	if first, err := s.Spend(ctx, "two", until); !first || err != nil {
		t.Errorf("one whose time is over: %v, %v", first, err)
	}
}

// put is a change from one document to another, where "" is none.
func put(want, document string) func([]byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if string(old) != want {
			return nil, fmt.Errorf("document %q, want %q", old, want)
		}
		if document == "" {
			return nil, nil
		}
		return []byte(document), nil
	}
}

func TestDocuments(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	ref := online.Ref{Kind: online.Models, Name: "Fare", Version: "V1"}
	other := online.Ref{Kind: online.Models, Name: "fare", Version: "v1"} // another case, the same asset
	steps := map[string]error{
		"create":    s.ChangeAsset(ctx, ref, put("", "one")),
		"change":    s.ChangeAsset(ctx, other, put("one", "two")),
		"container": s.ChangeContainer(ctx, online.Models, "fare", put("", "box")),
	}
	for step, err := range steps {
		if err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
	if got, err := s.Asset(ctx, ref); string(got) != "two" || err != nil {
		t.Errorf("asset %q, %v; want two", got, err)
	}
	if found, err := s.DeleteContainer(ctx, online.Models, "FARE"); !found || err != nil {
		t.Errorf("container found %t, %v; want true", found, err)
	}
	if found, err := s.DeleteContainer(ctx, online.Models, "FARE"); found || err != nil {
		t.Errorf("container found again %t, %v; want false", found, err)
	}
	if all, err := s.Assets(ctx, online.Models, ""); len(all) != 0 || err != nil {
		t.Errorf("assets %q, %v; want none", all, err)
	}
}

func TestDatastores(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	if err := s.ChangeDatastore(ctx, "work", put("", "place")); err != nil {
		t.Error(err)
	}
	if err := s.ChangeDatastore(ctx, "work", put("place", "")); err != nil {
		t.Error(err)
	}
	if all, err := s.Datastores(ctx); len(all) != 0 || err != nil {
		t.Errorf("datastores %q, %v; want none", all, err)
	}
}
