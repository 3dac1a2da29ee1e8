package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"hotswap/internal/online"
)

// train runs the example's train.py and registers what it made as the next version.
func (s *story) train(ctx context.Context, version, features string) error {
	out := filepath.Join(s.dir, "trained", version)
	train := exec.CommandContext(ctx, "python3", filepath.Join(s.dir, endpoint, "train.py"), "--out", out, "--features", features)
	metrics, err := train.Output()
	if err != nil {
		return fmt.Errorf("train version %s: %w", version, err)
	}
	s.Say("    trained: %s", bytes.TrimSpace(metrics))
	file := filepath.Join(out, "model.json")
	m := online.Model{Type: "custom_model"}
	m.Ref = online.Ref{Kind: online.Models, Name: model}
	registered, err := s.client.RegisterModel(ctx, m, file)
	if err != nil {
		return err
	}
	s.Say("    registered: %s", registered.Ref)
	fares, err := readFares(file)
	if err != nil {
		return err
	}
	s.checker.knows(registered.Ref.Name+":"+registered.Ref.Version, fares)
	return nil
}

// fares is a trained model, so that an answer can be checked without asking Python.
type fares struct {
	Features []string  `json:"features"`
	Weights  []float64 `json:"weights"`
}

func readFares(file string) (f fares, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("read %s: %w", file, err)
	}
	return f, nil
}

// trip is one input, as score.py reads it.
type trip struct {
	Distance  float64 `json:"distance"`
	Minutes   float64 `json:"minutes"`
	Hour      int     `json:"hour"`
	Weekday   int     `json:"weekday"`
	Manhattan bool    `json:"manhattan"`
}

func (t trip) feature(name string) float64 {
	is := map[string]bool{
		"night":     t.Hour >= 20 || t.Hour < 6,
		"rush":      t.Weekday < 5 && t.Hour >= 16 && t.Hour < 20,
		"manhattan": t.Manhattan,
	}
	switch {
	case name == "distance":
		return t.Distance
	case name == "minutes":
		return t.Minutes
	case is[name]:
		return 1
	}
	return 0
}

// of is what score.py answers for t, to the rounding of a sum in another order.
func (f fares) of(t trip) float64 {
	sum := f.Weights[0]
	for i, name := range f.Features {
		sum += f.Weights[i+1] * t.feature(name)
	}
	return sum
}
