package azure

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// part is one part of a workspace's name, with what it may be taken from in this order: a flag,
// variables, Azure ML's config.json, the credential.
type part struct {
	what                   string
	target                 *string
	flag, flagged          string
	variables              []string
	configured, ofTheLogin string
}

// useWorkspace finds the workspace: in the flags, in the variables that Azure ML sets in its own
// jobs and the one that workflows have for azure/login, in Azure ML's config.json, in the
// credential.
func (c *Client) useWorkspace(o Options, l login) error {
	file, config := findConfig(o.Dir)
	parts := []part{
		{
			"subscription", &c.workspace.Subscription, "--subscription", o.Workspace.Subscription,
			[]string{"AZUREML_ARM_SUBSCRIPTION", "AZURE_SUBSCRIPTION_ID"},
			config.Subscription, l.workspace.Subscription,
		},
		{
			"resource group", &c.workspace.ResourceGroup, "--resource-group", o.Workspace.ResourceGroup,
			[]string{"AZUREML_ARM_RESOURCEGROUP"},
			config.ResourceGroup, l.workspace.ResourceGroup,
		},
		{
			"workspace", &c.workspace.Name, "--workspace-name", o.Workspace.Name,
			[]string{"AZUREML_ARM_WORKSPACE_NAME"},
			config.Workspace, l.workspace.Name,
		},
	}
	var missing []string
	for _, p := range parts {
		candidates := []Source{{p.what, p.flagged, p.flag}}
		for _, name := range p.variables {
			candidates = append(candidates, Source{p.what, o.Getenv(name), name})
		}
		candidates = append(candidates, Source{p.what, p.configured, file}, Source{p.what, p.ofTheLogin, l.from})
		found := slices.IndexFunc(candidates, func(s Source) bool { return s.Value != "" })
		if found < 0 {
			missing = append(missing, p.what+" ("+p.flag+" or "+p.variables[0]+")")
			continue
		}
		*p.target = candidates[found].Value
		c.sources = append(c.sources, candidates[found])
	}
	if len(missing) > 0 {
		return online.Errorf(online.Invalid, "which workspace? not given: %s; Azure ML's config.json or the credential may name it too", strings.Join(missing, ", "))
	}
	return nil
}

// config is Azure ML's config.json, which its portal offers for download.
type config struct {
	Subscription  string `json:"subscription_id"`
	ResourceGroup string `json:"resource_group"`
	Workspace     string `json:"workspace_name"`
}

// findConfig looks for .azureml/config.json and config.json in dir and in each folder above it,
// as azure-ai-ml does. A file of that name that names no workspace is someone else's.
func findConfig(dir string) (path string, c config) {
	if full, err := filepath.Abs(dir); err == nil {
		dir = full // "." has no folder above it
	}
	for {
		for _, name := range []string{filepath.Join(".azureml", "config.json"), "config.json"} {
			path = filepath.Join(dir, name)
			text, err := os.ReadFile(path)
			if err == nil && json.Unmarshal(text, &c) == nil && c.Workspace != "" {
				return path, c
			}
			c = config{}
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", config{}
		}
		dir = above
	}
}
