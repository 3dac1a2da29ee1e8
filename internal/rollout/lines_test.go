package rollout

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDiffLines(t *testing.T) {
	tests := map[string]struct {
		was, is string
		want    []string
	}{
		"nothing":     {"", "", nil},
		"same":        {"a\nb\n", "a\nb\n", []string{"  …"}},
		"first lines": {"", "a\nb", []string{"+ a", "+ b"}},
		"last lines":  {"a\r\n", "", []string{"- a"}},
		"too many":    {strings.Repeat("a\n", 3000), strings.Repeat("b\n", 3001), []string{"3001 lines, was 3000: too many to compare"}},
		"one in many": {"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", []string{"  …", "  3", "  4", "- 5", "+ five", "  6", "  7", "  …"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := diffLines(tt.was, tt.is); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// What is gone and what is new, in their order, are the lines that make one text the other.
func TestDiffLinesMakesTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 5) // so few that none is left out
		was, is := few.Draw(t, "was"), few.Draw(t, "is")
		var before, after []string
		for _, line := range diffLines(strings.Join(was, "\n"), strings.Join(is, "\n")) {
			if line == "  …" {
				return
			}
			if line[0] != '+' {
				before = append(before, line[2:])
			}
			if line[0] != '-' {
				after = append(after, line[2:])
			}
		}
		if !slices.Equal(before, was) || !slices.Equal(after, is) {
			t.Errorf("it tells of %q and %q", before, after)
		}
	})
}
