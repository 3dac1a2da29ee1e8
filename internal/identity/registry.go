package identity

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"hotswap/internal/online"
)

// Records keeps principals for good.
type Records interface {
	Principals(ctx context.Context) ([]Record, error)
	PutPrincipal(ctx context.Context, r Record) error // in place of what is there
	DeletePrincipal(ctx context.Context, clientID string) error
}

// Registry is who may log in. Every check of a token looks here, scoring requests included, so it
// answers from memory; what is in memory is never ahead of the records.
type Registry struct {
	records Records
	change  sync.Mutex                        // held while records and memory are changed
	all     atomic.Pointer[map[string]Record] // by client id; the map is never changed
}

// OpenRegistry reads the records, which nobody else may change from then on.
func OpenRegistry(ctx context.Context, records Records) (*Registry, error) {
	r := &Registry{records: records}
	kept, err := records.Principals(ctx)
	if err != nil {
		return nil, online.Errorf(online.CodeOf(err), "read who may log in: %w", err)
	}
	all := map[string]Record{}
	for _, record := range kept {
		all[record.ClientID] = record
	}
	r.all.Store(&all)
	return r, nil
}

// Find returns the principal with a client id in lower case.
func (r *Registry) Find(clientID string) (Record, bool) {
	record, found := (*r.all.Load())[clientID]
	return record, found
}

// Named returns the principal with a client id or a name, in any case. Principals from before names
// had to be free may share one; those answer to their ids only.
func (r *Registry) Named(name string) (Record, error) {
	if record, found := r.Find(strings.ToLower(name)); found {
		return record, nil
	}
	var named []Record
	for _, record := range *r.all.Load() {
		if strings.EqualFold(record.Name, name) {
			named = append(named, record)
		}
	}
	switch len(named) {
	case 0:
		return Record{}, online.Errorf(online.NotFound, "there is no principal %q", name)
	case 1:
		return named[0], nil
	}
	return Record{}, online.Errorf(online.Conflict, "there are %d principals %q: give the client id of one", len(named), name)
}

// List returns all principals by name.
func (r *Registry) List() []Record {
	return slices.SortedFunc(maps.Values(*r.all.Load()), func(a, b Record) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ClientID, b.ClientID))
	})
}

// principalName is short and plain: it stands in URLs, logs and tables.
var principalName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)

// Add keeps a new principal. Its name must be free.
func (r *Registry) Add(ctx context.Context, record Record) error {
	if !principalName.MatchString(record.Name) {
		return online.Errorf(online.Invalid, "principal name %q: want up to 64 letters, digits, '.', '_' and '-', a letter or a digit first", record.Name)
	}
	r.change.Lock()
	defer r.change.Unlock()
	if _, err := r.Named(record.Name); online.CodeOf(err) != online.NotFound {
		return online.Errorf(online.Conflict, "there is a principal %q already; revoke it first, or take another name", record.Name)
	}
	return r.put(ctx, record)
}

// maxFederated is as many as Entra gives an application
// (learn.microsoft.com, "Important considerations and restrictions for federated identity credentials").
const maxFederated = 20

// Federate lets a principal log in by what an issuer says of its subject. Doing it again changes nothing.
func (r *Registry) Federate(ctx context.Context, name string, f Federated) (Record, error) {
	if err := f.check(); err != nil {
		return Record{}, err
	}
	r.change.Lock()
	defer r.change.Unlock()
	record, err := r.Named(name)
	if err != nil {
		return Record{}, err
	}
	if slices.ContainsFunc(record.Federated, f.equal) {
		return record, nil
	}
	if len(record.Federated) == maxFederated {
		return Record{}, online.Errorf(online.Conflict, "principal %q has %d federated credentials, which is the most: make another principal", record.Name, maxFederated)
	}
	record.Federated = append(slices.Clone(record.Federated), f)
	return record, r.put(ctx, record)
}

func (r *Registry) put(ctx context.Context, record Record) error {
	if err := r.records.PutPrincipal(ctx, record); err != nil {
		return online.Errorf(online.CodeOf(err), "keep principal %q: %w", record.Name, err)
	}
	next := maps.Clone(*r.all.Load())
	next[record.ClientID] = record
	r.all.Store(&next)
	return nil
}

// Revoke ends a principal: it can't log in again, and the tokens that it has open nothing from now on.
func (r *Registry) Revoke(ctx context.Context, name string) error {
	r.change.Lock()
	defer r.change.Unlock()
	record, err := r.Named(name)
	if err != nil {
		return err
	}
	owners := 0
	for _, other := range *r.all.Load() {
		if other.May(Owner, "") && other.ClientID != record.ClientID {
			owners++
		}
	}
	if owners == 0 && record.May(Owner, "") {
		return online.Errorf(online.Conflict, "principal %q is the last owner: make another owner first", record.Name)
	}
	if err := r.records.DeletePrincipal(ctx, record.ClientID); err != nil {
		return online.Errorf(online.CodeOf(err), "revoke principal %q: %w", record.Name, err)
	}
	next := maps.Clone(*r.all.Load())
	delete(next, record.ClientID)
	r.all.Store(&next)
	return nil
}
