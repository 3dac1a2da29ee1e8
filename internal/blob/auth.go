package blob

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how old a signed request may be
// (learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key).
const maxSkew = 15 * time.Minute

// authorize lets a request pass that proves its right to op: by a signature with the account's
// key, by a token, or by a shared access signature.
func (c *call) authorize(op operation) error {
	scheme, credential, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return c.checkToken(op, strings.TrimSpace(credential))
	case scheme == "SharedKey":
		return c.checkSharedKey(credential)
	case scheme != "":
		return errAuthentication
	case c.query.Get("sig") != "":
		return c.checkSAS(op)
	}
	return errNoAuthentication
}

// checkToken lets those read who may read, and everything else only those who may write.
func (c *call) checkToken(op operation, token string) error {
	var access Access
	if c.options.Bearer != nil {
		access = c.options.Bearer(token)
	}
	reads, role := strings.Trim(op.account, "rl") == "", "deployer"
	if reads {
		role = "reader"
	}
	switch {
	case !access.Known:
		return errBadToken
	case access.Write || access.Read && reads:
		return nil
	}
	c.w.Header().Set("x-hotswap-role", role) // a client needn't name Azure's role for it
	return errRole
}

func (c *call) checkSharedKey(credential string) error {
	date := c.r.Header.Get("x-ms-date")
	if date == "" {
		date = c.r.Header.Get("Date")
	}
	at, err := http.ParseTime(date)
	if err != nil || time.Since(at).Abs() > maxSkew {
		return errAuthentication
	}
	account, signature, _ := strings.Cut(credential, ":")
	if account != c.options.Account || !c.signed(c.sharedKey(c.r), signature) {
		return errAuthentication
	}
	return nil
}

// sharedKey is the string to sign of a request, as for version 2015-02-21 and later
// (learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key).
func (s *Store) sharedKey(r *http.Request) string {
	length, date := "", r.Header.Get("Date")
	if r.ContentLength > 0 {
		length = strconv.FormatInt(r.ContentLength, 10)
	}
	if r.Header.Get("x-ms-date") != "" {
		date = ""
	}
	lines := []string{r.Method, r.Header.Get("Content-Encoding"), r.Header.Get("Content-Language"), length}
	for _, name := range []string{"Content-MD5", "Content-Type"} {
		lines = append(lines, r.Header.Get(name))
	}
	lines = append(lines, date)
	for _, name := range []string{"If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"} {
		lines = append(lines, r.Header.Get(name))
	}
	lines = append(lines, canonicalHeaders(r.Header)...)
	lines = append(lines, "/"+s.options.Account+r.URL.EscapedPath())
	lines = append(lines, canonicalQuery(r.URL.Query())...)
	return strings.Join(lines, "\n")
}

func canonicalHeaders(h http.Header) (lines []string) {
	values := map[string]string{}
	names := make([]string, 0, len(h))
	for name, v := range h {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-ms-") {
			names = append(names, name)
			values[name] = strings.TrimSpace(strings.Join(v, ","))
		}
	}
	slices.SortFunc(names, compareHeaders)
	for _, name := range names {
		lines = append(lines, name+":"+values[name])
	}
	return lines
}

// headerOrder is the order of characters in which Azure sorts the names of headers: that of its
// culture-aware comparison, not of ASCII. Source: the weights in azblob v1.8.3, shared_key_credential.go.
const headerOrder = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz"

// compareHeaders orders two names of headers as Azure does: as if hyphens and apostrophes were
// not there, and where that makes them equal, the one with a hyphen earlier comes later.
func compareHeaders(a, b string) int {
	weigh := func(name string) (weights []int) {
		for i := range len(name) {
			if w := strings.IndexByte(headerOrder, name[i]); w >= 0 {
				weights = append(weights, w)
			}
		}
		return weights
	}
	if order := slices.Compare(weigh(a), weigh(b)); order != 0 {
		return order
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && a[i] == '-' {
			return 1
		}
		if a[i] != b[i] {
			return -1
		}
	}
	return len(a) - len(b)
}

func canonicalQuery(q url.Values) (lines []string) {
	values := map[string][]string{}
	for name, v := range q {
		name = strings.ToLower(name)
		values[name] = append(values[name], v...)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		slices.Sort(values[name])
		lines = append(lines, name+":"+strings.Join(values[name], ","))
	}
	return lines
}

// sign is the signature of a text with the account's key.
func (s *Store) sign(text string) string {
	mac := hmac.New(sha256.New, s.options.Key)
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (s *Store) signed(text, signature string) bool {
	return hmac.Equal([]byte(s.sign(text)), []byte(signature))
}
