package cli

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/azure"
	"hotswap/internal/doctor"
)

func newLogin(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "login",
		Short: "Check and explain which credential is used, and whom the service takes it for",
		Long: `Login finds the credential that every other command would use, logs in with it and reads the
workspace. It stores nothing: each command logs in by itself, and a long one again whenever its token
ends. It prints no secret and no token.

In a job that logs in by OIDC it shows issuer, subject and audience of the job's assertion. Where the
service does not trust them it prints the command that makes it do so.`,
		Example: `  hotswap login
  hotswap login --credentials principal.json -o json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			v, err := s.login(c.Context())
			if e := s.print(v, v.table); e != nil {
				return e
			}
			if s.output == "table" {
				for _, command := range v.Fix {
					s.say("to mend it, run: %s", command)
				}
			}
			return err
		},
	}
}

// loginView is a login as -o json shows it.
type loginView struct {
	Sources   []sourceView     `json:"sources"`
	Federated bool             `json:"federated"`
	Assertion *azure.Assertion `json:"assertion"` // null where the login is by a secret, or there is none to be had
	Principal *azure.Principal `json:"principal"` // null where the login failed
	Workspace string           `json:"workspace"` // its id, "" where none is named
	Location  string           `json:"location"`  // of the workspace, where it can be read
	Error     string           `json:"error,omitempty"`
	Fix       []string         `json:"fix,omitempty"` // commands
}

type sourceView struct {
	What  string `json:"what"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// login finds out as much as can be found out, up to the first error.
func (s *session) login(ctx context.Context) (v loginView, err error) {
	defer func() {
		if err != nil {
			v.Error = err.Error()
		}
	}()
	account, err := azure.SignIn(s.cloud())
	if err != nil {
		return v, err
	}
	client, errWorkspace := account.Open(s.cloud())
	v.addSources(account.Sources())
	if errWorkspace == nil {
		v.Sources = nil
		v.addSources(client.Sources())
		v.Workspace = client.Workspace().ID()
	}
	if err := v.signIn(ctx, account); err != nil {
		return v, err
	}
	if errWorkspace != nil {
		return v, errWorkspace
	}
	facts, err := client.Facts(ctx)
	v.Location = facts.Location
	return v, err
}

func (v *loginView) addSources(all []azure.Source) {
	for _, source := range all {
		v.Sources = append(v.Sources, sourceView(source))
	}
}

// signIn gets an assertion, where the login is by one, and a token for it.
func (v *loginView) signIn(ctx context.Context, account *azure.Account) error {
	v.Federated = account.Federated()
	said, ok, err := account.Assertion(ctx)
	if err != nil {
		return err
	}
	if ok {
		v.Assertion = &said
	}
	p, err := account.Principal(ctx)
	if err != nil {
		if command := account.Mend(err); command != nil {
			v.Fix = []string{doctor.Command(command...)}
		}
		return err
	}
	v.Principal = &p
	return nil
}

func (v *loginView) table() *table {
	t := &table{head: []string{"WHAT", "VALUE", "FROM"}}
	for _, source := range v.Sources {
		t.add(source.What, source.Value, source.From)
	}
	if a := v.Assertion; a != nil {
		const from = "the assertion"
		t.add("issuer", a.Issuer, from)
		t.add("subject", a.Subject, from)
		t.add("audience", strings.Join(a.Audience, ", "), from)
		t.add("expires", a.Expires.Format(time.RFC3339), from)
	}
	if p := v.Principal; p != nil {
		const from = "the service"
		t.add("logged in as", cmp.Or(p.Name, "application "+p.App), from)
		t.add("object id", dash(p.ID), from)
		t.add("tenant", dash(p.Tenant), from)
	}
	if v.Location != "" {
		t.add("location", v.Location, "the workspace")
	}
	return t
}
