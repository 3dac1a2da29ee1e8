package act

import "testing"

// A pull request with a conflict starts no workflow when it closes: the scheduled one restores what
// main stands for. While it is open, what it has live is its own.
func TestScheduleRestoresWhatNoRunHas(t *testing.T) {
	w := started(t, "scheduled")
	number := w.change(t, "two")
	w.event(t, number, "opened").expect(t, 0)
	main := w.Git(t, "rev-parse", "main")
	scheduled := func() job {
		return w.run(t, run{workflow: "workshop_drift.yml", event: "schedule", commit: main, ref: "refs/heads/main", payload: map[string]any{"schedule": "17 * * * *"}})
	}
	scheduled().expect(t, 0, "holds the endpoint")
	w.serves(t, "first", "two")

	w.set(t, number, func(p *pull) { p.state = "closed" })
	scheduled().expect(t, 0, "is live again")
	w.serves(t, "first", "one")
	if out, code := w.drift(t); code != 0 {
		t.Errorf("main and production differ: %d\n%s", code, out)
	}
}
