package blob

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// sasVersion is the version of the signatures that SAS makes, and of answers to requests that
// don't say theirs.
const sasVersion = "2021-12-02"

// The versions that changed what is signed (learn.microsoft.com/rest/api/storageservices/create-service-sas
// and create-account-sas). Versions are dates, so they compare as text.
const (
	sasOldest    = "2015-04-05" // IP range and protocol
	sasResource  = "2018-11-09" // resource and snapshot
	sasEncrypted = "2020-12-06" // encryption scope
)

const sasTime = "2006-01-02T15:04:05Z"

// checkSAS checks a shared access signature. What is wrong with one that isn't genuine, or not
// at this time, is not told.
func (c *call) checkSAS(op operation) error {
	q := c.query
	// A policy of the container (si) and the key of a user (skoid) are things this store doesn't have.
	if q.Get("sv") < sasOldest || q.Get("si") != "" || q.Get("skoid") != "" {
		return errAuthentication
	}
	permitted, err := c.checkGenuine(op, q)
	if err != nil {
		return err
	}
	if err := c.checkOrigin(q); err != nil {
		return err
	}
	if permitted == "" || !strings.ContainsAny(q.Get("sp"), permitted) {
		return errPermission
	}
	// Of the operations, only uploads are content with c, and for them it means new blobs only.
	c.createOnly = !strings.Contains(q.Get("sp"), "w")
	return nil
}

// checkGenuine checks signature, times and resource, and returns the permissions of which the
// operation needs one.
func (c *call) checkGenuine(op operation, q url.Values) (permitted string, err error) {
	account := q.Get("ss") != ""
	text := c.accountSAS(q)
	if !account {
		text = c.serviceSAS(q, c.container, c.blob)
	}
	if sr := q.Get("sr"); !account && sr != "c" && sr != "b" {
		return "", errAuthentication
	}
	if !c.signed(text, q.Get("sig")) || !validNow(q.Get("st"), q.Get("se")) {
		return "", errAuthentication
	}
	switch {
	case account && !strings.Contains(q.Get("ss"), "b"):
		return "", errService
	case account && !strings.Contains(q.Get("srt"), op.resourceType):
		return "", errResourceType
	case account:
		return op.account, nil
	case q.Get("sr") == "b" && c.blob == "":
		return "", errResourceType
	}
	return op.service, nil
}

// checkOrigin checks the protocol and the address that a signature may be used with.
func (c *call) checkOrigin(q url.Values) error {
	if q.Get("spr") == "https" && c.r.TLS == nil {
		return errProtocol
	}
	if sip := q.Get("sip"); sip != "" && !inRange(sip, c.r.RemoteAddr) {
		return errSourceIP
	}
	return nil
}

// serviceSAS is the string to sign of a signature for a container (sr=c) or a blob (sr=b); that of
// any other resource is not the string that was signed.
func (s *Store) serviceSAS(q url.Values, container, blob string) string {
	resource := "/blob/" + s.options.Account + "/" + container
	if q.Get("sr") == "b" {
		resource += "/" + blob
	}
	lines := []string{q.Get("sp"), q.Get("st"), q.Get("se"), resource, q.Get("si"), q.Get("sip"), q.Get("spr"), q.Get("sv")}
	if q.Get("sv") >= sasResource {
		lines = append(lines, q.Get("sr"), "")
	}
	if q.Get("sv") >= sasEncrypted {
		lines = append(lines, q.Get("ses"))
	}
	for _, name := range []string{"rscc", "rscd", "rsce", "rscl", "rsct"} {
		lines = append(lines, q.Get(name))
	}
	return strings.Join(lines, "\n")
}

// accountSAS is the string to sign of a signature for the account.
func (s *Store) accountSAS(q url.Values) string {
	lines := []string{s.options.Account}
	for _, name := range []string{"sp", "ss", "srt", "st", "se", "sip", "spr", "sv"} {
		lines = append(lines, q.Get(name))
	}
	if q.Get("sv") >= sasEncrypted {
		lines = append(lines, q.Get("ses"))
	}
	return strings.Join(lines, "\n") + "\n"
}

func validNow(start, end string) bool {
	now := time.Now()
	if start != "" {
		if from, ok := parseSASTime(start); !ok || now.Before(from) {
			return false
		}
	}
	until, ok := parseSASTime(end)
	return ok && now.Before(until)
}

func parseSASTime(text string) (time.Time, bool) {
	for _, layout := range []string{sasTime, "2006-01-02T15:04:05.0000000Z", "2006-01-02T15:04Z", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// inRange reports whether a client's address is the one of sip, or in its range first-last.
func inRange(sip, client string) bool {
	host, _, err := net.SplitHostPort(client)
	if err != nil {
		return false
	}
	first, last, ok := strings.Cut(sip, "-")
	if !ok {
		last = first
	}
	at, err := netip.ParseAddr(host)
	from, errFrom := netip.ParseAddr(first)
	to, errTo := netip.ParseAddr(last)
	at = at.Unmap()
	return err == nil && errFrom == nil && errTo == nil && at.Compare(from) >= 0 && at.Compare(to) <= 0
}
