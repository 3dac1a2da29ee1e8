package assets

import (
	"net/url"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// location is where the files of an asset are: below path in a container, which is named or is
// that of a datastore.
type location struct{ datastore, container, path string }

const scheme = "azureml://"

// locate reads the forms that clients send (azure-ai-ml 1.34.0, _artifacts/_artifact_utilities.py):
//
//	azureml://subscriptions/S/resourcegroups/G/workspaces/W/datastores/D/paths/P
//	azureml://datastores/D/paths/P
//	https://ACCOUNT.blob.SUFFIX/CONTAINER/P
//
// URLs are of blobs in the account, in its form of a host name or of a first segment of the path.
func locate(uri, account string) (location, error) {
	var l location
	if len(uri) > len(scheme) && strings.EqualFold(uri[:len(scheme)], scheme) {
		l = inDatastore(strings.Split(uri[len(scheme):], "/"))
	} else {
		l = inContainer(uri, account)
	}
	if l.datastore == "" && l.container == "" {
		return l, online.Errorf(online.Invalid, "uri %q: want azureml://datastores/NAME/paths/PATH, or the URL of a blob or a folder of blobs in the account %s", uri, account)
	}
	if slices.Contains(strings.Split(l.path, "/"), "..") {
		return l, online.Errorf(online.Invalid, "uri %q climbs out of its container", uri)
	}
	return l, nil
}

func inDatastore(words []string) location {
	if len(words) > 6 && strings.EqualFold(words[0], "subscriptions") {
		words = words[6:]
	}
	if len(words) < 4 || !strings.EqualFold(words[0], "datastores") || !strings.EqualFold(words[2], "paths") {
		return location{}
	}
	return location{datastore: words[1], path: strings.Trim(strings.Join(words[3:], "/"), "/")}
}

func inContainer(uri, account string) location {
	u, err := url.Parse(uri)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return location{}
	}
	path := strings.TrimPrefix(u.Path, "/")
	if host := strings.ToLower(u.Host); !strings.HasPrefix(host, account+".blob.") {
		var first string
		first, path, _ = strings.Cut(path, "/")
		if first != account || strings.Contains(host, ".blob.") {
			return location{} // files of somebody else, maybe under names that are here too
		}
	}
	container, path, _ := strings.Cut(path, "/")
	return location{container: container, path: strings.Trim(path, "/")}
}
