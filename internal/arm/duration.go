package arm

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// isoDuration is ISO 8601's form of a duration without years and months, whose length varies.
var isoDuration = regexp.MustCompile(`^P(?:([\d.]+)W)?(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$`)

// ParseDuration reads an ISO 8601 duration like PT1M30.5S.
func ParseDuration(text string) (time.Duration, error) {
	parts := isoDuration.FindStringSubmatch(strings.ToUpper(text))
	if parts == nil {
		return 0, fmt.Errorf("%q is no ISO 8601 duration like PT5S", text)
	}
	units := []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	total, given := 0.0, false
	for n, unit := range units {
		if parts[n+1] == "" {
			continue
		}
		value, err := strconv.ParseFloat(parts[n+1], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no ISO 8601 duration like PT5S", text)
		}
		total, given = total+value*float64(unit), true
	}
	if !given || total > math.MaxInt64 {
		return 0, fmt.Errorf("%q is no ISO 8601 duration like PT5S", text)
	}
	return time.Duration(math.Round(total)), nil
}

// FormatDuration writes d as an ISO 8601 duration.
func FormatDuration(d time.Duration) string {
	text := strings.ToUpper(d.String()) // 1h30m0.5s
	switch {
	case d == 0:
		return "PT0S"
	case d%time.Hour == 0:
		text = strings.TrimSuffix(text, "0M0S")
	case d%time.Minute == 0:
		text = strings.TrimSuffix(text, "0S")
	case d < time.Second: // 500ms
		text = strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
	}
	return "PT" + text
}

// duration is a duration on the wire.
type duration time.Duration

// UnmarshalJSON reports a bad text as a wrong type, so that the decoder adds the field's name.
func (d *duration) UnmarshalJSON(b []byte) error {
	wrong := &json.UnmarshalTypeError{Value: string(b), Type: reflect.TypeFor[duration]()}
	var text *string
	if json.Unmarshal(b, &text) != nil {
		return wrong
	}
	if text == nil {
		return nil
	}
	parsed, err := ParseDuration(*text)
	if err != nil {
		return wrong
	}
	*d = duration(parsed)
	return nil
}

func (d duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(FormatDuration(time.Duration(d)))
}
