package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// around is how many lines that stay are shown beside those that change.
const around = 2

// mostCells bounds the table of diffLines, to 32 MB.
const mostCells = 4 << 20

// diffLines tells the lines that differ between two texts: "- " was there, "+ " is there now,
// "  " stays, and "  …" stands for more that stay. It is the longest common subsequence, in time
// and space of the product of both lengths: for files that people write.
func diffLines(was, is string) []string {
	a, b := splitLines(was), splitLines(is)
	if len(a)*len(b) > mostCells {
		return []string{fmt.Sprintf("%d lines, was %d: too many to compare", len(b), len(a))}
	}
	common := make([][]int, len(a)+1) // common[i][j]: of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i, old := range slices.Backward(a) {
		for j, now := range slices.Backward(b) {
			if old == now {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var lines []string
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines = append(lines, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			lines = append(lines, "- "+a[i])
			i++
		default:
			lines = append(lines, "+ "+b[j])
			j++
		}
	}
	return nearChanges(lines)
}

// splitLines is a text's lines without their ends.
func splitLines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	return lines
}

// nearChanges leaves out the lines that stay and are far from any that change.
func nearChanges(lines []string) (near []string) {
	keep := make([]bool, len(lines))
	for i, line := range lines {
		if line[0] == ' ' {
			continue
		}
		for k := max(0, i-around); k <= min(len(lines)-1, i+around); k++ {
			keep[k] = true
		}
	}
	for i, line := range lines {
		switch {
		case keep[i]:
			near = append(near, line)
		case i == 0 || keep[i-1]:
			near = append(near, "  …")
		}
	}
	return near
}
