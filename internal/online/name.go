package online

import "regexp"

// Names are 3 to 32 characters, begin with a letter, end with a letter or a digit, and hold
// hyphens between. Source: azure-ai-ml 1.34.0, constants/_endpoint.py, EndpointConfigurations.
const (
	minName = 3
	maxName = 32
)

var namePattern = regexp.MustCompile(`^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`)

// CheckName tells what is wrong with the name of an endpoint or a deployment; kind is the
// word for it in the message.
func CheckName(kind, name string) error {
	if len(name) < minName || len(name) > maxName {
		return Errorf(Invalid, "%s name %q has %d characters, want %d to %d", kind, name, len(name), minName, maxName)
	}
	if !namePattern.MatchString(name) {
		return Errorf(Invalid, "%s name %q: want letters, digits and hyphens, a letter first and no hyphen last", kind, name)
	}
	return nil
}
