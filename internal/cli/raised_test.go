package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRaisedIsFoundInTheCodeFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"score.py": "import json\n\n\ndef init():\n    helper.go()\n", "lib/helper.py": "def go():\n    raise ValueError(1)\n", "main/score.py": "\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const head = "Starting\nTraceback (most recent call last):\n  File \"/usr/lib/python3/runpy.py\", line 5, in main\n    x()\n"
	for name, c := range map[string]struct {
		log, script, file, message string
		line                       int
	}{
		"the script itself": {
			log: head + "  File \"/srv/code/score.py\", line 5, in init\n    helper.go()\nValueError: no licence\nmore\n", script: "score.py",
			file: "score.py", line: 5, message: "ValueError: no licence",
		},
		"a module below it": {
			log:    head + "  File \"/srv/code/score.py\", line 5, in init\n    x\n  File \"/srv/code/lib/helper.py\", line 2, in go\n    y\nmy.OwnError: 1\n",
			script: "score.py", file: "lib/helper.py", line: 2, message: "my.OwnError: 1",
		},
		"a library that it calls": {
			log:    head + "  File \"/srv/code/score.py\", line 5, in init\n    x\n  File \"/usr/lib/json/score.py\", line 1, in go\n    y\nKeyError: 'a'\n",
			script: "score.py", file: "score.py", line: 5, message: "KeyError: 'a'",
		},
		"does not compile": {
			log:    head + "  File \"/srv/code/score.py\", line 4\n    def init(:\n             ^\nSyntaxError: invalid syntax\n",
			script: "score.py", file: "score.py", line: 4, message: "SyntaxError: invalid syntax",
		},
		"a script in a folder": {
			log:    head + "  File \"/srv/code/main/score.py\", line 1, in init\n    x\n  File \"/srv/code/lib/helper.py\", line 1, in go\n    y\nValueError\n",
			script: "./main/score.py", file: "lib/helper.py", line: 1, message: "ValueError",
		},
		"the last of two": {
			log: head + "  File \"/srv/code/score.py\", line 1, in init\n    x\nValueError: 1\n" +
				head + "  File \"/srv/code/score.py\", line 2, in init\n    x\nValueError: 2\n",
			script: "score.py", file: "score.py", line: 2, message: "ValueError: 2",
		},
		"nothing raised":        {log: "Starting\nReady\n", script: "score.py"},
		"none of its files":     {log: head + "ValueError: 1\n", script: "score.py"},
		"a line that isn't":     {log: head + "  File \"/srv/code/score.py\", line 500, in init\n    x\nValueError: 1\n", script: "score.py"},
		"a line beyond numbers": {log: head + "  File \"/srv/code/score.py\", line 99999999999999999999, in init\nValueError: 1\n", script: "score.py"},
		"a file out of it":      {log: head + "  File \"/srv/code/score.py\", line 900, in init\n  File \"/srv/code/../../etc/passwd\", line 1\nValueError: 1\n", script: "score.py"},
	} {
		t.Run(name, func(t *testing.T) {
			got := findRaised(c.log, dir, c.script)
			if c.file == "" {
				if got != nil {
					t.Errorf("found %+v, want nothing", *got)
				}
				return
			}
			if want := (raised{filepath.Join(dir, c.file), c.line, c.message}); got == nil || *got != want {
				t.Errorf("found %+v, want %+v", got, want)
			}
		})
	}
}
