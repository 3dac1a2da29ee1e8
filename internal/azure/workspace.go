package azure

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"hotswap/internal/online"
)

// place of one part of the workspace's name, in the order in which they are tried.
type part struct {
	what       string
	target     *string
	flag, name string // what a user may give
	candidates []Source
}

// useWorkspace finds the workspace: in the flags, in the variables that Azure ML sets in its own
// jobs, in Azure ML's config.json, in the credential.
func (c *Client) useWorkspace(o Options, l login) error {
	file, config := findConfig(o.Dir)
	parts := []part{
		{what: "subscription", target: &c.workspace.Subscription, flag: "--subscription", name: "AZUREML_ARM_SUBSCRIPTION", candidates: []Source{
			{Value: o.Workspace.Subscription}, {}, {Value: config.Subscription}, {Value: l.workspace.Subscription},
		}},
		{what: "resource group", target: &c.workspace.ResourceGroup, flag: "--resource-group", name: "AZUREML_ARM_RESOURCEGROUP", candidates: []Source{
			{Value: o.Workspace.ResourceGroup}, {}, {Value: config.ResourceGroup}, {Value: l.workspace.ResourceGroup},
		}},
		{what: "workspace", target: &c.workspace.Name, flag: "--workspace-name", name: "AZUREML_ARM_WORKSPACE_NAME", candidates: []Source{
			{Value: o.Workspace.Name}, {}, {Value: config.Workspace}, {Value: l.workspace.Name},
		}},
	}
	c.sources = []Source{{"credential", l.who, l.from}, {"cloud", l.cloud.arm(), l.from}}
	var missing []string
	for _, p := range parts {
		p.candidates[1].Value = o.Getenv(p.name)
		from := []string{p.flag, p.name, file, l.from}
		for i, candidate := range p.candidates {
			if *p.target == "" && candidate.Value != "" {
				*p.target = candidate.Value
				c.sources = append(c.sources, Source{p.what, candidate.Value, from[i]})
			}
		}
		if *p.target == "" {
			missing = append(missing, p.what+" ("+p.flag+" or "+p.name+")")
		}
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
