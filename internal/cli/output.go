package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table is rows under a head, lined up; it may have none.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows := t.rows
	if t.head != nil {
		rows = append([][]string{t.head}, t.rows...)
	}
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}

// print writes v as JSON where that was asked for, else the table of it.
func (s *session) print(v any, asTable func() *table) error {
	if s.output == "json" {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		// The same text to who reads JSON, and no command to a runner.
		_, err = s.Stdout.Write(append(bytes.ReplaceAll(text, []byte("##["), []byte(`#\u0023[`)), '\n'))
		return err
	}
	return asTable().write(s.Stdout)
}

// orEmpty is for JSON, where a map without entries is {}.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func percent(n int) string { return fmt.Sprintf("%d%%", n) }

// dash shows that there is nothing.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
