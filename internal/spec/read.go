package spec

import "hotswap/internal/online"

// ReadEndpoint reads an endpoint's file.
func ReadEndpoint(path string) (Endpoint, error) {
	return Endpoint{}, online.Errorf(online.Internal, "read %s: not yet", path)
}

// ReadDeployment reads a deployment's file. Paths in it are relative to the file.
func ReadDeployment(path string) (Deployment, error) {
	return Deployment{}, online.Errorf(online.Internal, "read %s: not yet", path)
}

// ReadModel reads a model's file. Paths in it are relative to the file.
func ReadModel(path string) (LocalModel, error) {
	return LocalModel{}, online.Errorf(online.Internal, "read %s: not yet", path)
}

// ParseRef reads a reference to an asset as users write it: azureml:NAME:VERSION,
// azureml:NAME@latest or azureml://registries/….
func ParseRef(kind online.AssetKind, text string) (online.Ref, error) {
	return online.Ref{}, online.Errorf(online.Internal, "read %s: not yet", text)
}
