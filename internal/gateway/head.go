package gateway

import (
	"bytes"
	"net/textproto"
	"strconv"
	"strings"
)

// Bounds of the heads that a Front reads itself. Larger ones are for net/http to judge.
const (
	maxHead   = 16 << 10
	maxFields = 64
)

// head is the head of a request that is simple enough for a Front.
type head struct {
	method, path, query, host string

	length int64   // of the body
	last   bool    // the client wants the connection closed after the answer
	fields []field // all of them, each name once
}

// measure returns the length of the head that b begins with, up to and with its empty line. The head
// is 0 long while it has not all come, and -1 where parse would not take it: a line does not end
// with CR LF. Of b, the first known bytes have been looked at before, and held no end.
func measure(b []byte, known int) int {
	from := max(known-3, 0) // the end may have come in pieces
	if n := bytes.Index(b[from:], []byte("\r\n\r\n")); n >= 0 {
		return from + n + 4
	}
	for n := from; n < len(b); n++ {
		if b[n] == '\n' && (n == 0 || b[n-1] != '\r') {
			return -1
		}
	}
	return 0
}

// parse takes a head apart, and reports false for all that is not plain beyond doubt: whatever it
// takes, net/http takes too and understands alike (FuzzHead says so). It is strict in what
// RFC 9112 leaves open, since what it does not take is merely slower.
func (h *head) parse(text string) bool {
	*h = head{fields: h.fields[:0]}
	line, rest, ok := strings.Cut(text, "\r\n")
	if !ok || !h.requestLine(line) {
		return false
	}
	var seen uint64
	for {
		line, rest, ok = strings.Cut(rest, "\r\n")
		if line == "" {
			return ok && rest == "" && h.host != ""
		}
		if !h.line(line, &seen) {
			return false
		}
	}
}

// requestLine takes POST and GET of a path below /endpoints/ that needs no unescaping.
func (h *head) requestLine(line string) bool {
	var target, version string
	h.method, target, _ = strings.Cut(line, " ")
	target, version, _ = strings.Cut(target, " ")
	h.path, h.query, _ = strings.Cut(target, "?")
	return (h.method == "POST" || h.method == "GET") && version == "HTTP/1.1" &&
		strings.HasPrefix(h.path, scored) && all(h.path, inPath) && all(h.query, inQuery)
}

// line takes one header. Each name may come once: what to make of two depends on the name.
func (h *head) line(line string, seen *uint64) bool {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) {
		return false
	}
	value = strings.Trim(value, " \t")
	if !isValue(value) || len(h.fields) == maxFields {
		return false
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	h.fields = append(h.fields, field{name, value})
	if bit := uint64(1) << ((uint(len(name))*7 + uint(name[0]) + uint(name[len(name)-1])) % 64); *seen&bit == 0 {
		*seen |= bit
	} else if h.has(name) {
		return false
	}
	return h.known(name, value)
}

// has tells whether the last field's name was there before.
func (h *head) has(name string) bool {
	for _, f := range h.fields[:len(h.fields)-1] {
		if f.name == name {
			return true
		}
	}
	return false
}

// known looks at the headers that decide how the connection goes on.
func (h *head) known(name, value string) bool {
	switch name {
	case "Host":
		h.host = value
		return value != "" && all(value, inHost)
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 63)
		h.length = int64(n)
		return err == nil
	case "Connection":
		h.last = strings.EqualFold(value, "close")
		return h.last || strings.EqualFold(value, "keep-alive")
	case "Transfer-Encoding", "Trailer", "Te", "Upgrade", "Expect", "Pragma":
		return false
	}
	return true
}

// The classes of characters, bits of classes.
const (
	inToken byte = 1 << iota // RFC 9110, section 5.6.2
	inPath                   // RFC 3986, section 3.3, without the escapes
	inQuery                  // visible, and no "#"
	inHost                   // of names, addresses and ports
	inValue                  // RFC 9110, section 5.5
)

// classes are the classes that each character is in.
var classes = func() (t [256]byte) {
	const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for class, characters := range map[byte]string{
		inToken: alphanumeric + "!#$%&'*+-.^_`|~",
		inPath:  alphanumeric + "-._~/!$&'()*+,;=:@",
		inHost:  alphanumeric + "-._:[]",
	} {
		for _, c := range []byte(characters) {
			t[c] |= class
		}
	}
	for c := range t {
		if c > ' ' && c < 0x7f && c != '#' {
			t[c] |= inQuery
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= inValue
		}
	}
	return t
}()

// all tells whether every character is in the class.
func all(text string, class byte) bool {
	for n := range len(text) {
		if classes[text[n]]&class == 0 {
			return false
		}
	}
	return true
}

func isToken(name string) bool { return name != "" && all(name, inToken) }

func isValue(value string) bool { return all(value, inValue) }
