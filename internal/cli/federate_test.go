package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestFederatedSubjects(t *testing.T) {
	ids := federateFlags{repository: "octo/taxi", repositoryID: "22", ownerID: "11"}
	with := func(f federateFlags, change func(*federateFlags)) federateFlags {
		change(&f)
		return f
	}
	tests := map[string]struct {
		flags federateFlags
		want  []string
		wrong string
	}{
		"environment":     {federateFlags{repository: "octo/taxi", environment: "production"}, []string{"repo:octo/taxi:environment:production"}, ""},
		"with a colon":    {federateFlags{repository: "octo/taxi", environment: "Production:V1"}, []string{"repo:octo/taxi:environment:Production%3AV1"}, ""},
		"branch":          {federateFlags{repository: "octo/taxi", ref: "release/1"}, []string{"repo:octo/taxi:ref:refs/heads/release/1"}, ""},
		"tag":             {federateFlags{repository: "octo/taxi", ref: "refs/tags/v1"}, []string{"repo:octo/taxi:ref:refs/tags/v1"}, ""},
		"pull request":    {federateFlags{repository: "octo/taxi", pullRequest: true}, []string{"repo:octo/taxi:pull_request"}, ""},
		"subject":         {federateFlags{subject: "system:serviceaccount:a:b"}, []string{"system:serviceaccount:a:b"}, ""},
		"with ids":        {with(ids, func(f *federateFlags) { f.environment = "p" }), []string{"repo:octo/taxi:environment:p", "repo:octo@11/taxi@22:environment:p"}, ""},
		"nothing":         {federateFlags{}, nil, "whose tokens"},
		"no context":      {federateFlags{repository: "octo/taxi"}, nil, "give one of"},
		"two contexts":    {federateFlags{repository: "octo/taxi", ref: "main", pullRequest: true}, nil, "give one of"},
		"subject as well": {federateFlags{repository: "octo/taxi", subject: "x"}, nil, "whole subject"},
		"subject and ref": {federateFlags{ref: "main", subject: "x"}, nil, "whole subject"},
		"no owner":        {federateFlags{repository: "taxi", ref: "main"}, nil, "OWNER/NAME"},
		"odd repository":  {federateFlags{repository: "octo/taxi:pull_request", ref: "main"}, nil, "OWNER/NAME"},
		"one id":          {federateFlags{repository: "octo/taxi", ref: "main", ownerID: "11"}, nil, "both or neither"},
		"no number":       {federateFlags{repository: "octo/taxi", ref: "main", ownerID: "11", repositoryID: "x"}, nil, "number"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.flags.credential()
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) || exitCode(err) != usage {
					t.Errorf("error %v, want %q", err, tt.wrong)
				}
				return
			}
			if err != nil || !slices.Equal(got.Subjects, tt.want) {
				t.Errorf("subjects %q, %v; want %q", got.Subjects, err, tt.want)
			}
			if bound := got.Claims["repository_id"] == "22" && got.Claims["repository_owner_id"] == "11"; bound != (len(tt.want) == 2) {
				t.Errorf("claims %v", got.Claims)
			}
		})
	}
}

// Azure's principals are Entra's: each command says which of az's does the same, and does nothing.
func TestPrincipalsOfAzure(t *testing.T) {
	const credentials = `{"clientId":"c","clientSecret":"s","tenantId":"t","subscriptionId":"sub","resourceGroup":"rg","workspaceName":"ws"}`
	tests := map[string]struct {
		args string
		want []string
	}{
		"create": {"create ci --role deployer --endpoint taxi", []string{
			"az ad sp create-for-rbac --name ci --role 'AzureML Data Scientist' --scopes /subscriptions/sub/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws/onlineEndpoints/taxi --json-auth",
		}},
		"list":   {"list", []string{"az role assignment list --scope /subscriptions/sub/"}},
		"revoke": {"revoke 11-22 --yes", []string{"az ad app delete --id 11-22"}},
		"federate": {"federate 11-22 --repo octo/taxi --environment it's --repository-id 22 --owner-id 11", []string{
			"az ad app federated-credential create --id 11-22 --parameters ", `"subject":"repo:octo/taxi:environment:it'\''s"`, `"subject":"repo:octo@11/taxi@22:environment:it'\''s"`,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out, said strings.Builder
			env := Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &said, Dir: t.TempDir(), Getenv: func(name string) string {
				return map[string]string{"AZURE_CREDENTIALS": credentials}[name]
			}}
			code := Main(t.Context(), append([]string{"principal"}, strings.Fields(tt.args)...), env)
			if code != usage || out.Len() != 0 {
				t.Errorf("exit %d, stdout %q", code, out.String())
			}
			for _, want := range tt.want {
				if !strings.Contains(said.String(), want) {
					t.Errorf("it says %q, want %q", said.String(), want)
				}
			}
		})
	}
}
