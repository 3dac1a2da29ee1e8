package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"hotswap/internal/checks"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// readFiles reads what a deployment is made of. Names that no flag gives are those that the
// workflow gives its steps.
func (f *facts) readFiles() {
	if w := f.workflow.is; w != nil {
		for name, file := range map[string]*string{"ENDPOINT_FILE": &f.EndpointFile, "DEPLOYMENT_FILE": &f.DeploymentFile} {
			if *file == "" && w.env(name) != "" {
				*file = f.inRoot(w.env(name))
			}
		}
	}
	f.endpoint, f.deployment = without[spec.Endpoint](nil), without[spec.Deployment](nil)
	if f.EndpointFile != "" {
		f.endpoint = find(spec.ReadEndpoint(f.EndpointFile))
	}
	if f.DeploymentFile != "" {
		f.deployment = find(spec.ReadDeployment(f.DeploymentFile))
	}
	f.readSettings()
	f.suite = without[checks.Suite](f.settings.err)
	if name := f.settings.is["tests"]; name != "" {
		f.suite = find(checks.Read(name))
	}
}

func (f *facts) readSettings() {
	if f.config = f.findConfig(); f.config == "" {
		return
	}
	all, err := spec.ReadConfig(f.config)
	f.settings = found[map[string]string]{map[string]string{}, err}
	for _, s := range all {
		f.settings.is[s.Key] = s.Value
	}
}

// findConfig is where a rollout would find its settings too.
func (f *facts) findConfig() string {
	if f.ConfigFile != "" {
		return f.ConfigFile
	}
	dirs := []string{f.Root}
	if f.EndpointFile != "" {
		dirs = []string{filepath.Dir(f.EndpointFile), f.Root}
	}
	for _, dir := range dirs {
		name := filepath.Join(dir, spec.ConfigName)
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
	return ""
}

func (f *facts) endpointFile() Finding {
	switch {
	case f.EndpointFile == "":
		return unknown([]string{"hotswap doctor --endpoint-file FILE"}, "neither --endpoint-file nor ENDPOINT_FILE in the workflow names one")
	case f.endpoint.err != nil:
		return failed([]string{edit(f.shown(f.EndpointFile))}, "%v", f.endpoint.err)
	}
	return ok("%s is of endpoint %q", f.shown(f.EndpointFile), f.endpoint.is.Name)
}

func (f *facts) deploymentFile() Finding {
	name := f.shown(f.DeploymentFile)
	switch {
	case f.DeploymentFile == "":
		return unknown([]string{"hotswap doctor --deployment-file FILE"}, "neither --deployment-file nor DEPLOYMENT_FILE in the workflow names one")
	case f.deployment.err != nil:
		return failed([]string{edit(name)}, "%v", f.deployment.err)
	case f.endpoint.err == nil && f.deployment.is.Endpoint != f.endpoint.is.Name:
		return failed([]string{edit(name) + ": endpoint_name: " + f.endpoint.is.Name},
			"%s is of endpoint %q, but %s describes %q", name, f.deployment.is.Endpoint, f.shown(f.EndpointFile), f.endpoint.is.Name)
	}
	return ok("%s", name)
}

func (f *facts) settingsFile() Finding {
	switch {
	case f.config == "":
		return notNeeded("there is no %s: the defaults hold", spec.ConfigName)
	case f.settings.err != nil:
		return failed([]string{edit(f.shown(f.config)), "hotswap config schema"}, "%v", f.settings.err)
	}
	return ok("%s, %d settings", f.shown(f.config), len(f.settings.is))
}

// tests judges what a candidate has to pass: without any, there is no traffic.
func (f *facts) tests() Finding {
	name := f.settings.is["tests"]
	switch {
	case f.settings.err != nil:
		return after("settings")
	case name != "" && f.suite.err != nil:
		return failed([]string{edit(f.shown(name)), "hotswap checks schema"}, "%v", f.suite.err)
	case name != "":
		return ok("%s", f.shown(name))
	}
	request := f.settings.is["request_file"]
	if w := f.workflow.is; request == "" && w != nil && w.env("REQUEST_FILE") != "" {
		request = f.inRoot(w.env("REQUEST_FILE"))
	}
	if request == "" {
		return failed([]string{edit(spec.ConfigName) + ": tests: tests.yml"}, "nothing says how to test a candidate, and without a test it gets no traffic")
	}
	if _, err := os.Stat(request); err != nil {
		return failed([]string{edit(f.shown(request))}, "%v", online.Errorf(online.Invalid, "find the request to test with: %w", err))
	}
	return ok("%s", f.shown(request))
}

// edit is what to do with a file.
func edit(name string) string { return "edit " + name }
