package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/azure"
	"hotswap/internal/doctor"
	"hotswap/internal/online"
)

func newPrincipal(s *session) *cobra.Command {
	c := group(&cobra.Command{Use: "principal", Short: "Say who may log in to hotswap serve, and what they may do"})
	c.AddCommand(newPrincipalCreate(s), newPrincipalList(s), newPrincipalRevoke(s), newPrincipalFederate(s))
	return c
}

// azureRoles are what comes nearest in Azure to each of the roles
// (learn.microsoft.com, "Manage access to Azure Machine Learning workspaces").
var azureRoles = map[string]string{"reader": "Reader", "scorer": "AzureML Data Scientist", "deployer": "AzureML Data Scientist", "owner": "Owner"}

// principals connects to a workspace of hotswap serve. Azure's principals are in Entra, which az
// manages: with those commands it says how.
func (s *session) principals(ctx context.Context, az func(*azure.Client) []string) (*azure.Client, error) {
	client, err := s.client(ctx)
	if err != nil || !client.Azure() {
		return client, err
	}
	return nil, online.Errorf(online.Invalid, "the workspace is Azure's, whose principals az manages; run:\n  %s", strings.Join(az(client), "\n  "))
}

// oneName is for commands on one principal.
func oneName(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("want one argument, the principal's name")
	}
	return nil
}

func newPrincipalCreate(s *session) *cobra.Command {
	var (
		role azure.RoleAssignment
		save string
	)
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a principal and print its credential, once",
		Long: `Create makes a principal with one role, on the whole workspace or on one endpoint:

  reader    sees everything but keys and secrets
  scorer    and sends scoring requests
  deployer  and changes endpoints and their deployments; on one endpoint, only that one's
  owner     and says who may do what; of the workspace only

It prints the JSON that AZURE_CREDENTIALS and --credentials take. The server keeps a hash of the secret
and can't show it again. Only an owner may create principals.`,
		Example: `  hotswap principal create ci --role deployer --endpoint taxi-fare --save ci.json
  hotswap principal create dashboard --role reader`,
		Args: oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if azureRoles[role.Role] == "" {
				return usagef("--role is %q, want reader, scorer, deployer or owner", role.Role)
			}
			client, err := s.principals(c.Context(), func(client *azure.Client) []string {
				scope := client.Workspace().ID()
				if role.Endpoint != "" {
					scope += "/onlineEndpoints/" + role.Endpoint
				}
				return []string{doctor.Command("az", "ad", "sp", "create-for-rbac", "--name", args[0], "--role", azureRoles[role.Role], "--scopes", scope, "--json-auth")}
			})
			if err != nil {
				return err
			}
			return s.createPrincipal(c.Context(), client, args[0], role, save)
		},
	}
	c.Flags().StringVar(&role.Role, "role", "", "`ROLE`: reader, scorer, deployer or owner")
	c.Flags().StringVar(&role.Endpoint, "endpoint", "", "`NAME` of the one endpoint that the role is for (default: the workspace)")
	c.Flags().StringVar(&save, "save", "", "write the credential to a new `FILE` that only you can read, instead of printing it")
	_ = c.MarkFlagRequired("role")
	return c
}

func (s *session) createPrincipal(ctx context.Context, client *azure.Client, name string, role azure.RoleAssignment, save string) error {
	out, undo := s.Stdout, func() error { return nil }
	if save != "" { // made before the principal: afterwards would be too late to find that it can't be
		f, err := os.OpenFile(s.path(save), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return online.Errorf(online.Invalid, "--save: %w", err)
		}
		defer func() { _ = f.Close() }() // Write has told what matters
		out, undo = f, func() error { return os.Remove(f.Name()) }
	}
	p, err := client.CreatePrincipal(ctx, name, role)
	if err != nil {
		return errors.Join(err, undo())
	}
	var credential bytes.Buffer
	if err := json.Indent(&credential, p.Properties.Credential, "", "  "); err != nil {
		return online.Errorf(online.Internal, "read the credential of principal %q: %w; revoke it", p.Name, err)
	}
	credential.WriteByte('\n')
	if _, err := out.Write(credential.Bytes()); err != nil {
		return online.Errorf(online.Internal, "write the credential of principal %q: %w; it can't be had again: revoke the principal", p.Name, err)
	}
	s.say("principal %s is %s; this is the only time that its secret is told", p.Name, rolesText(p.Properties.Roles))
	if save == "" {
		return nil
	}
	p.Properties.Credential = nil
	return s.print(viewPrincipal(p), func() *table { return principalTable(p) })
}

// principalView is a principal as -o json shows it.
type principalView struct {
	Name string `json:"name"`
	azure.PrincipalProperties
}

func viewPrincipal(p azure.ServicePrincipal) principalView {
	return principalView{p.Name, p.Properties}
}

func rolesText(roles []azure.RoleAssignment) string {
	var texts []string
	for _, r := range roles {
		where := "of the workspace"
		if r.Endpoint != "" {
			where = "of endpoint " + r.Endpoint
		}
		texts = append(texts, r.Role+" "+where)
	}
	return strings.Join(texts, ", ")
}

func principalTable(all ...azure.ServicePrincipal) *table {
	t := &table{head: []string{"NAME", "ROLE", "CLIENT ID", "FEDERATED"}}
	for _, p := range all {
		var subjects []string
		for _, f := range p.Properties.Federated {
			subjects = append(subjects, strings.Join(f.Subjects, " or "))
		}
		t.add(p.Name, rolesText(p.Properties.Roles), p.Properties.ClientID, dash(strings.Join(subjects, ", ")))
	}
	return t
}

func newPrincipalList(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the principals, their roles and whom they trust", Example: "  hotswap principal list -o json", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.principals(c.Context(), func(client *azure.Client) []string {
				return []string{doctor.Command("az", "role", "assignment", "list", "--scope", client.Workspace().ID(), "--include-inherited", "-o", "table")}
			})
			if err != nil {
				return err
			}
			all, err := client.ServicePrincipals(c.Context())
			if err != nil {
				return err
			}
			return s.print(views(all, viewPrincipal), func() *table { return principalTable(all...) })
		},
	}
}

func newPrincipalRevoke(s *session) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "revoke NAME", Short: "End a principal, and at once the tokens that it has",
		Long: `Revoke ends a principal: its secret and its federated credentials log nobody in any more, and the tokens
that it has open nothing from now on. NAME may be its client id.

What it has read stays known: the keys of endpoints, which hotswap serve makes anew on regenerateKeys, and, if
it was a deployer, the key of the artifact store.`,
		Example: "  hotswap principal revoke ci --yes", Args: oneName,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := s.principals(c.Context(), func(*azure.Client) []string {
				return []string{doctor.Command("az", "ad", "app", "delete", "--id", args[0])}
			})
			if err != nil {
				return err
			}
			if err := s.confirm(yes, "revoke principal %s", args[0]); err != nil {
				return err
			}
			if err := client.RevokePrincipal(c.Context(), args[0]); err != nil {
				return err
			}
			s.say("principal %s is revoked", args[0])
			return nil
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}
