package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a command line that cannot be run.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// noArguments is for commands that are given everything by flags.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q: everything is given by flags", args[0])
	}
	return nil
}

// group makes a command that is nothing without a further word show what these words are, and
// refuse others: cobra itself would end such a command line with success.
func group(c *cobra.Command) *cobra.Command {
	c.SuggestionsMinimumDistance = 2 // typing errors, counted as the edit distance
	c.DisableFlagsInUseLine = true
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		text := fmt.Sprintf("unknown command %q", args[0])
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			text += "; do you mean " + strings.Join(near, " or ") + "?"
		}
		return errors.New(text)
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

// newHelp is hotswap help COMMAND, which is hotswap COMMAND --help.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [command]",
		Short:   "Help about any command",
		Example: "  hotswap help deployment logs",
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("unknown command %q", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// The kinds of values that a flag may want, in people's words.
var wanted = map[string]string{
	"int": "a whole number", "float64": "a number", "bool": "true or false", "stringToString": "KEY=VALUE",
	"duration": "a time with its unit, such as 10m or 500ms", "percent": "a percentage with its sign, such as 1%", "steps": "percentages such as 5,25,50,100",
}

// flagError tells what is wrong with a flag's value without the words of Go's parser.
func flagError(_ *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok && wanted[e.GetFlag().Value.Type()] != "" {
		return fmt.Errorf("--%s is %q, want %s", e.GetFlag().Name, e.GetValue(), wanted[e.GetFlag().Value.Type()])
	}
	return err
}
