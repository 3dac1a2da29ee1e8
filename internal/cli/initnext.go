package cli

import (
	"fmt"
	"strings"
)

// initView is what init -o json prints.
type initView struct {
	Files []initFile `json:"files"`
	Next  []nextStep `json:"next"`
}

// nextStep is something that is left to do, with the commands that do it.
type nextStep struct {
	What     string   `json:"what"`
	Commands []string `json:"commands"`
}

// printInit tells what was done with which file, and what is left.
func (s *session) printInit(p team, files []initFile) error {
	v := initView{files, p.next()}
	if s.output == "json" {
		return s.print(v, nil)
	}
	t := &table{head: []string{"FILE", "FATE"}}
	for _, f := range files {
		t.add(f.Path, f.Fate)
	}
	if err := t.write(s.Stdout); err != nil {
		return err
	}
	fmt.Fprintln(s.Stdout, "\nWhat is left to do:")
	for i, step := range v.Next {
		fmt.Fprintf(s.Stdout, "\n%d. %s\n", i+1, step.What)
		for _, c := range step.Commands {
			fmt.Fprintf(s.Stdout, "     %s\n", c)
		}
	}
	return nil
}

// next is what only the owner of the repository and of the workspace can do.
func (p team) next() []nextStep {
	secret := func(name string) string {
		if p.forge == githubForge {
			return "gh secret set " + name
		}
		return "tea actions secrets create " + name + " --stdin"
	}
	variable := func(name, value string) string {
		if p.forge == githubForge {
			return fmt.Sprintf("gh variable set %s --body '%s'", name, value)
		}
		return fmt.Sprintf("tea actions variables set %s '%s'", name, value)
	}
	scope := fmt.Sprintf("/subscriptions/$SUBSCRIPTION/resourceGroups/%s/providers/Microsoft.MachineLearningServices/workspaces/%s", p.group, p.workspace)
	steps := []nextStep{
		{"Look at every line with #setup:", []string{"grep -rn '#setup' .github " + p.folder}},
		{"Say where the runner gets hotswap from, a release with its digest:", []string{
			variable("HOTSWAP_URL", "https://…/hotswap-linux-amd64"), variable("HOTSWAP_SHA256", "…"),
		}},
		{"Give the workflow a credential. Azure:", []string{
			fmt.Sprintf("az ad sp create-for-rbac --name hotswap-%s --role 'AzureML Data Scientist' --scopes \"%s\" --json-auth | %s", p.endpoint, scope, secret("AZURE_SERVICE_PRINCIPAL")),
		}},
		{"Or, for a server of your own:", []string{
			fmt.Sprintf("hotswap principal create %s-pipeline --role deployer --endpoint %[1]s | %[2]s", p.endpoint, secret("AZURE_SERVICE_PRINCIPAL")),
		}},
		{"Commit, and push to main:", []string{"git add .github " + p.folder, "git commit -m 'deliver the model from pull requests'", "git push origin main"}},
	}
	first := "gh workflow run workshop_cd.yml"
	if p.forge != githubForge {
		first = "tea actions workflows dispatch workshop_cd.yml --ref main"
	}
	if !p.theirs {
		steps = append(steps, nextStep{"Register a first model:", []string{
			fmt.Sprintf("python3 %s/train.py --out model", p.folder),
			fmt.Sprintf("hotswap model register -n %s --path model/model.json -g %s -w %s", p.model, p.group, p.workspace),
		}})
	}
	return append(steps,
		nextStep{"Run it once, so that the check is known and main stands for something:", []string{first}},
		nextStep{"Require the check on main:", []string{"hotswap protect --plan", "hotswap protect"}},
		nextStep{"Where something is red:", []string{strings.Join([]string{"hotswap doctor --endpoint-file", p.folder + "/" + endpointFile, "-g", p.group, "-w", p.workspace}, " ")}},
	)
}
