package cli

import (
	"slices"
	"testing"

	"hotswap/internal/rollout"
)

func TestHistoryTellsWhatWasForced(t *testing.T) {
	rows := historyTable([]rollout.Summary{
		{Rollout: "1", Phase: rollout.Promoted},
		{Rollout: "2", Phase: rollout.Promoted, Forced: true},
		{Rollout: "3", Phase: rollout.Promoted, Undoes: "0123456789"},
	}).rows
	const outcome = 6
	var got []string
	for _, row := range rows {
		got = append(got, row[outcome])
	}
	if want := []string{"Promoted", "Promoted, forced", "Promoted, undoes 01234567"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
