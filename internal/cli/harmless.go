package cli

import "io"

// harmless passes on what is said to people, without what a runner would take for one of its
// commands: "::" where a line begins, and "##[" anywhere. Scoring scripts, files and servers are
// quoted in it (github.com/actions/runner, src/Runner.Common/ActionCommand.cs).
//
// The runner passes over whatever Unicode calls a space before the command. So nothing but what is
// visible in ASCII counts as the line's beginning: a letter of another script there costs no more than
// a mark that nobody sees.
type harmless struct {
	to io.Writer

	inLine bool // something visible is on the line already
	colon  bool // the line begins with one colon
	hashes int  // that were last written, at most 2
}

// invisible goes between the characters of what would be a command.
const invisible = "\u200b"

// Write writes text.
func (h *harmless) Write(text []byte) (int, error) {
	var out []byte
	for _, c := range text {
		if h.colon && c == ':' || h.hashes == 2 && c == '[' {
			out = append(out, invisible...)
		}
		switch {
		case c == '\n' || c == '\r':
			h.inLine, h.colon = false, false
		case c <= ' ' || c >= 0x7f:
			h.colon = false
		default:
			h.colon = c == ':' && !h.inLine
			h.inLine = true
		}
		if c != '#' {
			h.hashes = 0
		} else if h.hashes < 2 {
			h.hashes++
		}
		out = append(out, c)
	}
	if _, err := h.to.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}
