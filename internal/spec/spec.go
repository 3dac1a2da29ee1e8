// Package spec reads the YAML files that users write: endpoints, deployments and models, in the
// format of Azure ML's own command line (learn.microsoft.com, "CLI (v2) managed online endpoint
// YAML schema" and its neighbours). Every fault is one error that begins with file:line:column.
package spec

import "hotswap/internal/online"

// Endpoint is what an endpoint's file says.
type Endpoint struct {
	online.Endpoint
	Keys map[string]bool // the keys at the top of the file, so that a merge knows what was said
}

// Deployment is what a deployment's file says, with defaults where it is silent. What is a
// reference is in the Deployment; what is local is beside it, and yet to be uploaded.
type Deployment struct {
	online.Deployment
	CodeDir          string              // absolute; "" where there is no code folder
	LocalModel       *LocalModel         // nil where the model is a reference, or none
	LocalEnvironment *online.Environment // nil where the environment is a reference, or none
}

// LocalModel is a model that a file describes, with its files on this machine.
type LocalModel struct {
	Name, Version string // "" where the file gives none
	Path          string // absolute, a file or a folder
	Type          string // custom_model, mlflow_model or triton_model
	Description   string
	Tags          map[string]string
	Properties    map[string]string
}
