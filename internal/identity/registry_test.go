package identity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// records keeps principals in memory, and fails where it is told to.
type records struct {
	kept []identity.Record
	err  error
}

func (r *records) Principals(context.Context) ([]identity.Record, error) {
	return slices.Clone(r.kept), r.err
}

func (r *records) PutPrincipal(_ context.Context, record identity.Record) error {
	if r.err == nil {
		r.kept = append(slices.DeleteFunc(r.kept, func(k identity.Record) bool { return k.ClientID == record.ClientID }), record)
	}
	return r.err
}

func (r *records) DeletePrincipal(_ context.Context, id string) error {
	if r.err == nil {
		r.kept = slices.DeleteFunc(r.kept, func(k identity.Record) bool { return k.ClientID == id })
	}
	return r.err
}

func owner(name string) identity.Record {
	return named(name, identity.Assignment{Role: identity.Owner})
}

func named(name string, roles ...identity.Assignment) identity.Record {
	return identity.Record{Principal: identity.Principal{ClientID: "id-of-" + name, Name: name, Roles: roles}}
}

func registry(t *testing.T, kept *records, all ...identity.Record) *identity.Registry {
	t.Helper()
	kept.kept = append(kept.kept, all...)
	r, err := identity.OpenRegistry(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(all []identity.Record) (names []string) {
	for _, r := range all {
		names = append(names, r.Name)
	}
	return names
}

func TestRegistry(t *testing.T) {
	kept := &records{}
	r := registry(t, kept, owner("Root"))
	ctx := t.Context()
	for _, record := range []identity.Record{named("ci"), named("app", identity.Assignment{Role: identity.Scorer, Endpoint: "taxi"})} {
		if err := r.Add(ctx, record); err != nil {
			t.Fatal(err)
		}
	}
	for name, code := range map[string]online.Code{"CI": online.Conflict, "": online.Invalid, "a b": online.Invalid, "-x": online.Invalid, "a/b": online.Invalid} {
		if err := r.Add(ctx, named(name)); online.CodeOf(err) != code {
			t.Errorf("Add %q: %v, want %s", name, err, code)
		}
	}
	again := registry(t, &records{}, kept.kept...) // as after a restart
	for what, all := range map[string][]identity.Record{"in memory": r.List(), "kept": again.List()} {
		if got := names(all); !slices.Equal(got, []string{"app", "ci", "Root"}) {
			t.Errorf("%s are %v", what, got)
		}
	}
	if found, err := r.Named("ID-OF-CI"); err != nil || found.Name != "ci" {
		t.Errorf("by client id: %v, %v", found, err)
	}
	if err := r.Revoke(ctx, "APP"); err != nil {
		t.Fatal(err)
	}
	if _, found := r.Find("id-of-app"); found || len(kept.kept) != 2 {
		t.Error("the revoked principal is still there")
	}
	if err := r.Revoke(ctx, "app"); online.CodeOf(err) != online.NotFound {
		t.Errorf("once more: %v", err)
	}
}

// Nobody could make principals any more.
func TestLastOwnerStays(t *testing.T) {
	r := registry(t, &records{}, owner("one"), named("ci", identity.Assignment{Role: identity.Deployer}))
	if err := r.Revoke(t.Context(), "one"); online.CodeOf(err) != online.Conflict {
		t.Errorf("the last owner: %v", err)
	}
	if err := r.Add(t.Context(), owner("two")); err != nil {
		t.Fatal(err)
	}
	if err := r.Revoke(t.Context(), "one"); err != nil {
		t.Error(err)
	}
}

// What can't be kept is not so: after the next start it would be otherwise.
func TestRegistryWhileRecordsFail(t *testing.T) {
	kept := &records{}
	r := registry(t, kept, owner("one"), owner("two"))
	kept.err = errors.New("disk I/O error")
	if err := r.Add(t.Context(), named("ci")); err == nil {
		t.Error("Add succeeds")
	}
	if err := r.Revoke(t.Context(), "two"); err == nil {
		t.Error("Revoke succeeds")
	}
	if _, err := r.Federate(t.Context(), "two", identity.Federated{Issuer: "https://i", Audience: "a", Subjects: []string{"s"}}); err == nil {
		t.Error("Federate succeeds")
	}
	two, _ := r.Named("two")
	if got := names(r.List()); !slices.Equal(got, []string{"one", "two"}) || len(two.Federated) != 0 {
		t.Errorf("in memory are %v, %+v", got, two)
	}
}

// State folders of before may have principals of one name.
func TestSharedName(t *testing.T) {
	first, second := owner("hotswap"), owner("hotswap")
	second.ClientID = "other"
	r := registry(t, &records{}, first, second)
	if err := r.Revoke(t.Context(), "hotswap"); online.CodeOf(err) != online.Conflict {
		t.Errorf("by the name: %v", err)
	}
	if err := r.Revoke(t.Context(), "other"); err != nil {
		t.Errorf("by the client id: %v", err)
	}
}

func TestFederate(t *testing.T) {
	kept := &records{}
	r := registry(t, kept, owner("ci"))
	f := identity.Federated{Issuer: "https://i", Audience: "a", Subjects: []string{"s"}, Claims: map[string]string{"repository_id": "1"}}
	for range 2 {
		if got, err := r.Federate(t.Context(), "CI", f); err != nil || len(got.Federated) != 1 {
			t.Fatalf("%+v, %v: want one credential, however often", got.Federated, err)
		}
	}
	f.Claims = nil
	for n := 1; n < 20; n++ {
		f.Subjects = []string{fmt.Sprint(n)}
		if got, err := r.Federate(t.Context(), "ci", f); err != nil || len(got.Federated) != n+1 {
			t.Fatalf("%d: %v", len(got.Federated), err)
		}
	}
	f.Subjects = []string{"one more"}
	if _, err := r.Federate(t.Context(), "ci", f); online.CodeOf(err) != online.Conflict {
		t.Errorf("the 21st: %v", err)
	}
	if found, _ := r.Find("id-of-ci"); len(found.Federated) != 20 || len(kept.kept[0].Federated) != 20 {
		t.Errorf("%d in memory, %d kept", len(found.Federated), len(kept.kept[0].Federated))
	}
	if _, err := r.Federate(t.Context(), "nobody", f); online.CodeOf(err) != online.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}

func TestRoles(t *testing.T) {
	for have, includes := range map[identity.Role][]identity.Role{
		identity.Reader:   {identity.Reader},
		identity.Scorer:   {identity.Reader, identity.Scorer},
		identity.Deployer: {identity.Reader, identity.Scorer, identity.Deployer},
		identity.Owner:    identity.Roles,
		"":                nil,
	} {
		for _, other := range append(identity.Roles, "", "admin") {
			if got, want := have.Includes(other), slices.Contains(includes, other); got != want {
				t.Errorf("%q includes %q: %t, want %t", have, other, got, want)
			}
		}
	}
	for text, want := range map[string]identity.Role{"Owner": identity.Owner, "deployer": identity.Deployer, "": "", "admin": ""} {
		if got, err := identity.ParseRole(text); got != want || (err == nil) != (want != "") {
			t.Errorf("ParseRole %q: %q, %v", text, got, err)
		}
	}
}

func TestAssignments(t *testing.T) {
	both := identity.Principal{Roles: []identity.Assignment{{Role: identity.Reader}, {Role: identity.Deployer, Endpoint: "taxi"}}}
	one := identity.Principal{Roles: []identity.Assignment{{Role: identity.Scorer, Endpoint: "taxi"}}}
	for name, tt := range map[string]struct {
		got, want bool
	}{
		"deploys its endpoint":           {both.May(identity.Deployer, "taxi"), true},
		"in any case":                    {both.May(identity.Deployer, "TAXI"), true},
		"not another":                    {both.May(identity.Deployer, "fare"), false},
		"not the workspace":              {both.May(identity.Deployer, ""), false},
		"reads another":                  {both.May(identity.Reader, "fare"), true},
		"reads the workspace":            {both.May(identity.Reader, ""), true},
		"somewhere":                      {both.MaySomewhere(identity.Deployer), true},
		"nowhere":                        {both.MaySomewhere(identity.Owner), false},
		"one endpoint is not all of it":  {one.May(identity.Reader, ""), false},
		"nobody":                         {identity.Principal{}.MaySomewhere(identity.Reader), false},
		"an empty role is none":          {both.May("", "taxi"), false},
		"an unknown one includes none":   {identity.Principal{Roles: []identity.Assignment{{Role: "admin"}}}.May(identity.Reader, ""), false},
		"a scorer may read its endpoint": {one.May(identity.Reader, "taxi"), true},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %t", name, tt.got)
		}
	}
	if a, err := identity.NewAssignment("Deployer", "Taxi-Fare"); err != nil || a != (identity.Assignment{Role: identity.Deployer, Endpoint: "taxi-fare"}) {
		t.Errorf("got %+v, %v", a, err)
	}
	for _, wrong := range [][2]string{{"owner", "taxi"}, {"admin", ""}, {"reader", "../x"}, {"", ""}} {
		if _, err := identity.NewAssignment(wrong[0], wrong[1]); online.CodeOf(err) != online.Invalid {
			t.Errorf("%v: %v, want it refused", wrong, err)
		}
	}
}
