package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxName is the longest name of a blob, in UTF-16 units as Azure counts
// (learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata).
const maxName = 1024

// containerName is the same page's rule: 3 to 63 characters, no hyphen at an end or beside another.
var containerName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func checkContainer(name string) error {
	switch {
	case len(name) < 3 || len(name) > 63:
		return &azureError{400, "OutOfRangeInput", "a container's name has 3 to 63 characters"}
	case !containerName.MatchString(name):
		return invalidName("a container's name has lower-case letters, digits and single hyphens between them")
	}
	return nil
}

// checkBlob refuses the names that Azure doesn't allow, and those that lead out of a folder when
// somebody downloads the blob to a file of its name.
func checkBlob(name string) error {
	switch {
	case !utf8.ValidString(name):
		return invalidName("a blob's name is UTF-8")
	case len(utf16.Encode([]rune(name))) > maxName:
		return invalidName("a blob's name has 1 to 1,024 characters")
	case strings.ContainsRune(name, 0):
		return invalidName("a blob's name has no NUL")
	case strings.HasPrefix(name, "/"):
		return invalidName("a blob's name does not begin with a slash")
	}
	for segment := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return invalidName("a blob's name has no segment . or ..")
		}
	}
	return nil
}

func invalidName(message string) error { return &azureError{400, "InvalidResourceName", message} }

// key is the name of the files that belong to a blob.
func key(blob string) string {
	sum := sha256.Sum256([]byte(blob))
	return hex.EncodeToString(sum[:])
}
