package azure

import (
	"strconv"
	"strings"
	"time"
)

// formatDuration writes a duration as ISO 8601 has it: PT5S, PT0.5S.
func formatDuration(d time.Duration) *string {
	text := "PT" + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
	return &text
}

// parseDuration reads an ISO 8601 duration of days and smaller units; any other text is 0.
func parseDuration(text *string) time.Duration {
	rest, ok := strings.CutPrefix(value(text), "P")
	if !ok {
		return 0
	}
	days, clock, _ := strings.Cut(rest, "T")
	var total float64 // in seconds
	for _, part := range []struct {
		text  *string
		unit  string
		worth float64
	}{{&days, "D", 86400}, {&clock, "H", 3600}, {&clock, "M", 60}, {&clock, "S", 1}} {
		number, after, found := strings.Cut(*part.text, part.unit)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0
		}
		total += n * part.worth
		*part.text = after
	}
	return time.Duration(total * float64(time.Second))
}
