package checks

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The picture's measures, in pixels. Its grey can be read on white and on black alike
// (4.5:1 and 4.6:1, WCAG 2.2, section 1.4.3), so it needs neither a background nor a style sheet.
const (
	svgWidth  = 720 // of a line with two names of 32 letters
	svgTop    = 64
	svgRow    = 24
	svgLabels = 150 // where the bars begin
	svgBars   = 480 // the longest bar
	svgText   = "#767676"
	svgAgrees = "#3b82c4"
	svgDiffer = "#c9622e"
)

// WriteSVG writes the histogram as a picture that stands for itself.
func (d Diff) WriteSVG(w io.Writer) error {
	var b strings.Builder
	height := svgTop + svgRow*len(d.Histogram) + svgRow/2
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" font-family="sans-serif" font-size="13" fill="%s">`+"\n",
		svgWidth, height, svgWidth, height, svgText)
	fmt.Fprintf(&b, "<title>%s</title>\n", escaped(d.headline()))
	what, found, _ := strings.Cut(d.headline(), ": ") // text in a picture does not wrap
	for i, line := range []string{what, found} {
		fmt.Fprintf(&b, `<text x="8" y="%d">%s</text>`+"\n", svgRow+i*(svgRow-4), escaped(line))
	}
	most := d.most()
	for i, bin := range d.Histogram {
		y := svgTop + svgRow*i
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", svgLabels-8, y+16, escaped(bin.Label))
		length := 0
		if bin.Count > 0 {
			length = max(1, svgBars*bin.Count/most) // what is there at all shows
			fill := svgAgrees
			if bin.Disagrees {
				fill = svgDiffer
			}
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", svgLabels, y+3, length, svgRow-6, fill)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d">%d</text>`+"\n", svgLabels+length+8, y+16, bin.Count)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// escaped is text as XML has it.
func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(plain(text))) // to a builder, which takes everything
	return b.String()
}
