package webhook

import "time"

// SetPauses shortens the waits between tries, before anything is sent.
func (h *Hook) SetPauses(pauses ...time.Duration) { h.pauses = pauses }
