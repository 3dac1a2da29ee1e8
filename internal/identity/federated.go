package identity

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"hotswap/internal/online"
)

// Federated is a federated credential: a principal may log in with an assertion of Issuer for
// Audience about one of Subjects. All compare exactly, as Entra does
// (learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations).
type Federated struct {
	Issuer   string
	Audience string
	Subjects []string // one, or the forms in which the issuer may write the same one
	// Claims must be there with these values: the ids that stay with a repository and its owner, so
	// that whoever takes over their names later isn't trusted.
	Claims map[string]string
}

// maxText bounds a subject, an issuer and an audience, as Entra does.
const maxText = 600

func (f Federated) check() error {
	if u, err := url.Parse(f.Issuer); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsAny(f.Issuer, "?#") {
		return online.Errorf(online.Invalid, "issuer %q is no https address", f.Issuer)
	}
	if len(f.Subjects) == 0 {
		return online.Errorf(online.Invalid, "a federated credential needs a subject")
	}
	for _, text := range append([]string{f.Issuer, f.Audience}, f.Subjects...) {
		if len(text) > maxText || strings.TrimSpace(text) != text || text == "" {
			return online.Errorf(online.Invalid, "%q of a federated credential: want 1 to %d characters without space around them", text, maxText)
		}
	}
	for name, value := range f.Claims {
		if name == "" || value == "" {
			return online.Errorf(online.Invalid, "claim %q of a federated credential is %q: want a name and a value", name, value)
		}
	}
	return nil
}

func (f Federated) equal(other Federated) bool {
	return f.Issuer == other.Issuer && f.Audience == other.Audience && slices.Equal(f.Subjects, other.Subjects) && maps.Equal(f.Claims, other.Claims)
}

// match finds the credential that trusts what an assertion says. Its error names the first of
// issuer, audience, subject and claims that none has, and what was presented, but not what would
// have been right: the caller has proven nothing yet.
func match(all []Federated, p presented) (Federated, error) {
	no := func(number int, what, format string, args ...any) error {
		return &GrantError{
			Code: InvalidClient, Number: number,
			Description: fmt.Sprintf("No matching federated identity record found for presented assertion "+format, args...) +
				fmt.Sprintf(" (issuer %q, subject %q, audience %q). Check the principal's federated credentials: hotswap principal list -o json shows them, hotswap principal federate adds one.",
					p.Issuer, p.Subject, p.audience()),
			Reason: "no federated credential has the " + what,
		}
	}
	keep := func(with func(Federated) bool) bool {
		all = slices.DeleteFunc(slices.Clone(all), func(f Federated) bool { return !with(f) })
		return len(all) > 0
	}
	if !keep(func(f Federated) bool { return f.Issuer == p.Issuer }) {
		return Federated{}, no(700211, "issuer", "issuer %q", p.Issuer)
	}
	if !keep(func(f Federated) bool { return len(p.Audience) == 1 && f.Audience == p.Audience[0] }) {
		return Federated{}, no(700212, "audience", "audience %q", p.audience())
	}
	others := all
	if !keep(func(f Federated) bool { return slices.Contains(f.Subjects, p.Subject) }) {
		fold := func(f Federated) bool {
			return slices.ContainsFunc(f.Subjects, func(s string) bool { return strings.EqualFold(s, p.Subject) })
		}
		if slices.ContainsFunc(others, fold) {
			return Federated{}, no(7002138, "subject", "subject %q. The subject matches with case-insensitive comparison, but not with case-sensitive comparison", p.Subject)
		}
		return Federated{}, no(700213, "subject", "subject %q", p.Subject)
	}
	var differs string
	if !keep(func(f Federated) bool {
		for name, want := range f.Claims {
			got, has := p.claim(name)
			if !has {
				differs = "without claim " + name
				return false
			}
			if got != want {
				differs = fmt.Sprintf("%s %q", name, got)
				return false
			}
		}
		return true
	}) {
		return Federated{}, no(700213, "claims", "%s", differs)
	}
	return all[0], nil
}

// presented is what an assertion says.
type presented struct {
	Issuer   string
	Subject  string
	Audience []string
	ID       string // its jti, or all that it says where it has none
	all      map[string]any
}

func (p presented) audience() string { return strings.Join(p.Audience, " ") }

// claim is a claim that is a text or a number.
func (p presented) claim(name string) (value string, has bool) {
	switch v := p.all[name].(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	default:
		return fmt.Sprint(v), true
	}
}
