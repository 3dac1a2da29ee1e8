package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"hotswap/internal/online"
)

// confirm asks before what can't be undone. Where nobody can be asked it wants --yes.
func (s *session) confirm(yes bool, format string, args ...any) error {
	if yes {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	in, is := s.Stdin.(*os.File)
	if !is || !term.IsTerminal(int(in.Fd())) {
		return usagef("to %s, give --yes: there is no terminal to ask on", what)
	}
	fmt.Fprintf(s.Stderr, "%s? [y/N] ", what)
	answer, _ := bufio.NewReader(in).ReadString('\n')
	if !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return online.Errorf(online.Invalid, "not confirmed: nothing was changed")
	}
	return nil
}
