package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"hotswap/internal/azure"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
	"hotswap/internal/spec"
)

// path resolves a file's name as the command's caller meant it.
func (s *session) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.Dir, name)
}

// read reads a file that a flag names.
func (s *session) read(flag, name string) ([]byte, error) {
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		return nil, online.Errorf(online.Invalid, "--%s: %w", flag, err)
	}
	return b, nil
}

// endpointFlags name an endpoint, by itself or by its file.
type endpointFlags struct{ name, file string }

func (f *endpointFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.name, "endpoint-name", "e", "", "`NAME` of the endpoint")
	c.Flags().StringVar(&f.file, "endpoint-file", "", "YAML `FILE` that describes the endpoint")
}

func (f *endpointFlags) endpoint(s *session) (string, error) {
	switch {
	case f.name != "" && f.file != "":
		return "", usagef("--endpoint-name and --endpoint-file both name an endpoint: give one of them")
	case f.name != "":
		return f.name, nil
	case f.file != "":
		e, err := spec.ReadEndpoint(s.path(f.file))
		return e.Name, err
	}
	return "", usagef("which endpoint? give --endpoint-name or --endpoint-file")
}

func (f *endpointFlags) runner(ctx context.Context, s *session) (*rollout.Runner, error) {
	name, err := f.endpoint(s)
	if err != nil {
		return nil, err
	}
	return s.runner(ctx, name)
}

// deployFlags are what a candidate is made of.
type deployFlags struct {
	endpointFile, deploymentFile, modelVersion, logs, reason string
	updateEndpoint                                           bool
	wait                                                     waitFlag
}

func (f *deployFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.endpointFile, "endpoint-file", "", "YAML `FILE` that describes the endpoint")
	c.Flags().StringVar(&f.deploymentFile, "deployment-file", "", "YAML `FILE` that describes the deployment; its name is ignored, the free slot is taken")
	c.Flags().StringVar(&f.modelVersion, "model-version", rollout.Latest, "a registered `VERSION`, latest, or file for what the deployment file says")
	c.Flags().BoolVar(&f.updateEndpoint, "update-endpoint", false, "merge the endpoint file over an endpoint that exists; its traffic is never touched")
	c.Flags().StringVar(&f.logs, "logs", "", "save the deployment's log in `DIR`")
	c.Flags().StringVarP(&f.reason, "message", "m", "", "`TEXT` shown to those whom the lock keeps waiting")
	f.wait.add(c)
	_ = c.MarkFlagRequired("endpoint-file")
	_ = c.MarkFlagRequired("deployment-file")
}

func (f *deployFlags) request(s *session) (r rollout.Request, err error) {
	if r.Endpoint, err = spec.ReadEndpoint(s.path(f.endpointFile)); err != nil {
		return r, err
	}
	if r.Deployment, err = spec.ReadDeployment(s.path(f.deploymentFile)); err != nil {
		return r, err
	}
	if of := r.Deployment.Endpoint; of != r.Endpoint.Name {
		return r, online.Errorf(online.Invalid, "%s is of endpoint %q, but %s describes %q: deploy with two files of one endpoint",
			f.deploymentFile, of, f.endpointFile, r.Endpoint.Name)
	}
	if err := checkUploads(r.Deployment); err != nil {
		return r, err
	}
	r.ModelVersion, r.UpdateEndpoint, r.Reason = f.modelVersion, f.updateEndpoint, f.reason
	return r, nil
}

func (f *deployFlags) runner(ctx context.Context, s *session, req *rollout.Request) (*rollout.Runner, error) {
	req.Commit = s.commit(ctx)
	r, err := s.runner(ctx, req.Endpoint.Name)
	if err != nil {
		return nil, err
	}
	r.SaveLog = s.readLog(req.Deployment, s.saveLog(f.logs))
	return r, f.wait.set(r)
}

// checkUploads finds what can't be uploaded before anything is locked or written.
func checkUploads(d spec.Deployment) error {
	var paths []string
	if d.CodeDir != "" {
		paths = append(paths, d.CodeDir)
	}
	if d.LocalModel != nil {
		paths = append(paths, d.LocalModel.Path)
	}
	for _, path := range paths {
		if err := azure.CheckUpload(path); err != nil {
			return err
		}
	}
	return nil
}
