package cli

import (
	"strings"
	"testing"
)

// What init tells people to run is what the commands take.
func TestNextStepsAreCommands(t *testing.T) {
	t.Parallel()
	p := team{folder: "scoring", endpoint: "taxi-fare", group: "ml", workspace: "w", model: "taxi-fare", forge: githubForge}
	ours := 0
	for _, step := range p.next() {
		for _, line := range step.Commands {
			line, _, _ = strings.Cut(line, " | ")
			words := strings.Fields(line)
			if words[0] != "hotswap" {
				continue
			}
			ours++
			c, args, err := newRoot(&session{Env: Env{Getenv: func(string) string { return "" }}}).Find(words[1:])
			if err == nil {
				err = c.ParseFlags(args)
			}
			if err == nil {
				err = c.ValidateArgs(c.Flags().Args())
			}
			if err == nil {
				err = c.ValidateRequiredFlags()
			}
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if ours < 4 {
		t.Errorf("%d commands of ours, want model register, principal create, protect and doctor", ours)
	}
}
