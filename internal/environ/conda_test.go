package environ

import (
	"slices"
	"strings"
	"testing"

	"hotswap/internal/online"
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		conda    string
		python   string
		want     []string
		warnings int
		notes    int
	}{
		"nothing": {},
		"comment": {conda: "# nothing here\n"},
		"the whole": {
			conda: `
name: model-env
channels: [conda-forge]
dependencies:
  - python=3.9
  - numpy=1.21
  - scikit-learn>=1.0
  - pip
  - pip:
    - azureml-inference-server-http
    - inference-schema[numpy-support]==1.8
    - Flask~=3.1
`,
			python: "3.9", notes: 1,
			want: []string{"flask~=3.1", "inference-schema[numpy-support]==1.8", "numpy==1.21.*", "scikit-learn>=1.0"},
		},
		"names of PyPI": {
			conda: "dependencies: [pytorch=2.1, py-xgboost, msgpack-python, opencv, Pillow, pyyaml, protobuf]",
			want:  []string{"msgpack", "opencv-python-headless", "pillow", "protobuf", "pyyaml", "torch==2.1.*", "xgboost"},
		},
		"versions": {
			conda: `dependencies: [a==1.2.3, b=1.2.3=py39_0, 'c>=1,<2', d 1.4, 'e = 1.5', f=1.6.*, conda-forge::g=1.7, 'h !=1.8', i=2.0.1 , 'j ~=1.9']`,
			want:  []string{"a==1.2.3", "b==1.2.3", "c>=1,<2", "d==1.4.*", "e==1.5.*", "f==1.6.*", "g==1.7.*", "h!=1.8", "i==2.0.1.*", "j~=1.9"},
		},
		"left out": {
			conda:    "dependencies: [cudatoolkit=11.8, libgcc-ng, openssl, mkl, pip=23]\nvariables: {A: b}\nprefix: /opt/conda",
			warnings: 5,
		},
		"pip lines": {
			conda: "dependencies:\n- pip:\n  - '# a comment'\n  - --extra-index-url https://packages.example/simple\n  - pkg @ https://packages.example/pkg.whl\n  - https://packages.example/other.whl\n  - six; python_version > '3'\n  - six; python_version > '3'\n",
			want:  []string{"--extra-index-url https://packages.example/simple", "https://packages.example/other.whl", "pkg@ https://packages.example/pkg.whl", "six; python_version > '3'"},
		},
		"no pip lines":   {conda: "dependencies:\n- pip: []\n"},
		"servers alone":  {conda: "dependencies:\n- pip: [azureml-defaults==1.5]\n", notes: 1},
		"python at most": {conda: "dependencies: ['python>=3.9,<3.12']", python: ">=3.9,<3.12"},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := parse(test.conda)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(w.requirements, test.want) {
				t.Errorf("requirements %q, want %q", w.requirements, test.want)
			}
			if w.python.String() != test.python || len(w.warnings) != test.warnings || len(w.notes) != test.notes {
				t.Errorf("python %q, warnings %q, notes %q", w.python, w.warnings, w.notes)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, test := range map[string]struct{ conda, want string }{
		"no yaml":             {"dependencies: [", "conda file: "},
		"a list":              {"- numpy", "conda file: "},
		"unknown key":         {"dependency: [numpy]", `unknown field "dependency"`},
		"wrong type":          {"dependencies: numpy", "conda file: [1:15]"},
		"channels a map":      {"channels: {a: b}", "conda file: [1:"},
		"another list":        {"dependencies:\n- npm: [left-pad]", `key "npm"`},
		"pip not a list":      {"dependencies:\n- pip: six", "[2:8]"},
		"no name":             {"dependencies: ['=1.2']", `dependency "=1.2"`},
		"alternatives":        {"dependencies: ['numpy=1.2|1.3']", `dependency "numpy=1.2|1.3"`},
		"file":                {"dependencies:\n- pip: [-r requirements.txt]", "not uploaded"},
		"editable":            {"dependencies:\n- pip: [-e .]", "not uploaded"},
		"python version text": {"dependencies: [python=three]", `dependency "python=three"`},
		"path":                {"dependencies:\n- pip: [./wheels/a.whl]", "want a name"},
		"two lines":           {"dependencies:\n- pip: [\"six\\n--index-url http://evil.example\"]", "want one line"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(test.conda)
			if err == nil || !strings.Contains(err.Error(), test.want) || online.CodeOf(err) != online.Invalid {
				t.Errorf("error %v (%s), want Invalid with %q", err, online.CodeOf(err), test.want)
			}
		})
	}
}
