package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"hotswap/internal/online"
)

// fetchModel copies the model's files, if the deployment has a model.
func (i *instance) fetchModel() error {
	if i.want.Model.IsZero() {
		return nil
	}
	dir, err := i.emptied("model")
	if err != nil {
		return err
	}
	i.model, err = i.launcher.fetch.Fetch(i.ctx, i.want.Model, dir)
	if err != nil {
		return online.Errorf(online.CodeOf(err), "%v: %w", i.want.Model, err)
	}
	return inside(dir, i.model)
}

// fetchCode copies the code and checks that the scoring script is in it.
func (i *instance) fetchCode() error {
	if i.want.Code.IsZero() {
		return online.Errorf(online.Invalid, "the deployment has no code: give it a code folder with a scoring script")
	}
	dir, err := i.emptied("code")
	if err != nil {
		return err
	}
	i.code, err = i.launcher.fetch.Fetch(i.ctx, i.want.Code, dir)
	if err != nil {
		return online.Errorf(online.CodeOf(err), "%v: %w", i.want.Code, err)
	}
	if err := inside(dir, i.code); err != nil {
		return err
	}
	return checkScript(i.code, i.want.Script)
}

// inside refuses a folder that is not dir or below it.
func inside(dir, folder string) error {
	if folder == dir || strings.HasPrefix(filepath.Clean(folder), dir+string(filepath.Separator)) {
		return nil
	}
	return online.Errorf(online.Invalid, "folder %s is not below %s", folder, dir)
}

// checkScript refuses a scoring script that is not a file in the code folder, whatever links say.
func checkScript(folder, script string) error {
	if !filepath.IsLocal(script) {
		return online.Errorf(online.Invalid, "scoring script %q: want a path below the code folder", script)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	info, err := root.Stat(script) // fails on a link that leads out
	if err = errors.Join(err, root.Close()); err != nil {
		return online.Errorf(online.Invalid, "scoring script %q: %w; it must be in the code folder", script, err)
	}
	if !info.Mode().IsRegular() {
		return online.Errorf(online.Invalid, "scoring script %q is no file", script)
	}
	return nil
}
