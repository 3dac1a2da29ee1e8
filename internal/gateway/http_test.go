package gateway

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hotswap/internal/meter"
	"hotswap/internal/online"
	"hotswap/internal/scoring"
)

func TestAuthentication(t *testing.T) {
	e := endpoint(1, deployment("blue", 1, startWorker(t, echo(""))))
	keyed := serve(t, Options{}, e)
	e.Auth, e.KeyDigests = online.AMLTokenAuth, nil
	verify := func(endpoint, token string) bool { return endpoint == "taxi" && token == "good" }
	tokens := serve(t, Options{VerifyToken: verify}, e)
	none := serve(t, Options{}, e)
	cases := map[string]struct {
		gateway       *Gateway
		authorization string
		status        int
		body          string
	}{
		"a key":                        {keyed, "Bearer " + testKey, 200, "x"},
		"a scheme in another case":     {keyed, "bearer " + testKey, 200, "x"},
		"another key":                  {keyed, "Bearer the-kez", 401, "key_auth_access_denied"},
		"a key with more behind it":    {keyed, "Bearer " + testKey + " ", 401, "key_auth_access_denied"},
		"no header":                    {keyed, "", 401, "key_auth_bad_header_forbidden"},
		"no scheme":                    {keyed, testKey, 401, "key_auth_bad_header_forbidden"},
		"another scheme":               {keyed, "Basic " + testKey, 401, "key_auth_bad_header_forbidden"},
		"an empty key":                 {keyed, "Bearer ", 401, "key_auth_bad_header_forbidden"},
		"a token":                      {tokens, "Bearer good", 200, "x"},
		"another token":                {tokens, "Bearer bad", 401, "key_auth_access_denied"},
		"a key where tokens are due":   {tokens, "Bearer " + testKey, 401, "key_auth_access_denied"},
		"a token that no one can read": {none, "Bearer good", 401, "key_auth_access_denied"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := post(c.gateway, "x", "Authorization", c.authorization)
			want(t, w, c.status, c.body)
			if c.status == 401 && w.Header().Get("Www-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

func TestRouting(t *testing.T) {
	blue, green := deployment("blue", 1, startWorker(t, echo("blue "))), deployment("green", 1, startWorker(t, echo("green ")))
	empty := Deployment{Name: "empty", ID: "empty-1", Concurrency: 1, Timeout: 1}
	g := serve(t, Options{}, endpoint(1, blue, green, empty))
	dark := endpoint(1, deployment("blue", 1, startWorker(t, echo(""))))
	dark.Name, dark.Shares, dark.Deployments[0].ID = "dark", nil, "dark-blue-1"
	swap(t, g, dark)
	cases := map[string]struct {
		path, deployment string
		status           int
		body             string
	}{
		"by share":                {"/endpoints/taxi/score", "", 200, "blue x"},
		"by name":                 {"/endpoints/taxi/score", "green", 200, "green x"},
		"by name in another case": {"/endpoints/taxi/score", "GREEN", 200, "green x"},
		"an endpoint in capitals": {"/endpoints/TAXI/score", "", 200, "blue x"},
		"an unknown deployment":   {"/endpoints/taxi/score", "red", 404, "Specified deployment could not be found"},
		"no traffic":              {"/endpoints/dark/score", "", 404, scoring.NoDeployment},
		"no traffic, by name":     {"/endpoints/dark/score", "blue", 200, "x"},
		"no instance":             {"/endpoints/taxi/score", "empty", 503, "*"},
		"an unknown endpoint":     {"/endpoints/bus/score", "", 404, "*"},
		"no path":                 {"/endpoints/taxi", "", 404, "*"},
		"elsewhere":               {"/taxi/score", "", 404, "*"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader("x"))
			r.Header.Set("Authorization", "Bearer "+testKey)
			r.Header.Set("azureml-model-deployment", c.deployment)
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			want(t, w, c.status, c.body)
		})
	}
}

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestHeaders(t *testing.T) {
	var head []string
	worker := startWorker(t, func(q asked) (int, string) {
		head = q.head
		return http.StatusOK, "{}"
	})
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, worker)))
	ids := map[string]bool{}
	for range 3 {
		w := post(g, "x", "x-request-id", "mine", "x-ms-client-request-id", "run 7/"+strings.Repeat("é", 3)+"_A", "Connection", "keep-alive", "Traceid", "t")
		want(t, w, http.StatusOK, "{}")
		id := w.Header().Get("x-request-id")
		if !guid.MatchString(id) || w.Header().Get("x-ms-request-id") != id || ids[id] {
			t.Errorf("request id %q, service id %q", id, w.Header().Get("x-ms-request-id"))
		}
		ids[id] = true
		for name, value := range map[string]string{
			"azureml-model-deployment": "blue", "x-hotswap-model": "fare:blue", "x-ms-client-request-id": "run7_A",
			"x-ms-run-fn-exec-ms": "1.500", "content-type": "application/json", "content-length": "2",
		} {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
		}
		if !slices.Contains(head, "X-Request-Id:"+id) || !slices.Contains(head, "X-Ms-Client-Request-Id:run7_A") || !slices.Contains(head, "Traceid:t") {
			t.Errorf("the worker got %q", head)
		}
		if all := strings.Join(head, "\n"); strings.Contains(all, testKey) || strings.Contains(all, "keep-alive") {
			t.Errorf("the worker got %q", head)
		}
	}
}

func TestModelErrorIs424(t *testing.T) {
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, startWorker(t, func(asked) (int, string) { return 418, `{"why":"tea"}` }))))
	w := post(g, "x")
	want(t, w, http.StatusFailedDependency, `{"why":"tea"}`)
	for name, value := range map[string]string{
		"ms-azureml-model-error-reason": "model_error", "ms-azureml-model-error-statuscode": "418", "azureml-model-deployment": "blue",
	} {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	worker := startWorker(t, echo(""))
	g := serve(t, Options{MaxBody: 1 << 20}, endpoint(1, deployment("blue", 1, worker)))
	most := strings.Repeat("m", 1<<20)
	want(t, post(g, most), http.StatusOK, most)
	want(t, post(g, most+"x"), http.StatusRequestEntityTooLarge, "*")
	r := httptest.NewRequest(http.MethodPost, "/endpoints/taxi/score", struct{ io.Reader }{strings.NewReader(most + "x")})
	r.ContentLength = -1
	r.Header.Set("Authorization", "Bearer "+testKey)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	want(t, w, http.StatusRequestEntityTooLarge, "*")
	want(t, post(g, "x", "Long", strings.Repeat("h", 3<<20)), http.StatusRequestHeaderFieldsTooLarge, "*")
	want(t, post(g, "x", "Broken", "a\nb"), http.StatusBadRequest, "*")
	if n := len(worker.bodies()); n != 1 {
		t.Errorf("the worker got %d requests", n)
	}
}

func TestSharesAreExact(t *testing.T) {
	d := func(name string) Deployment { return Deployment{Name: name, ID: name} }
	r := newRoute(Endpoint{Deployments: []Deployment{d("a"), d("b"), d("c"), d("d")}, Shares: map[string]int{"a": 1, "c": 90, "d": 9}}, 1, nil, meter.New())
	got := map[string]int{}
	for draw := range 100 {
		got[r.choose(draw).Name]++
	}
	if fmt.Sprint(got) != "map[a:1 c:90 d:9]" {
		t.Errorf("shares %v", got)
	}
	const draws = 100_000
	random := rand.New(rand.NewPCG(1, 2))
	got = map[string]int{}
	for range draws {
		got[r.choose(random.IntN(100)).Name]++
	}
	for name, percent := range map[string]int{"a": 1, "c": 90, "d": 9} { // 5 standard deviations are 0.47 points at most
		if share := float64(got[name]) * 100 / draws; share < float64(percent)-0.5 || share > float64(percent)+0.5 {
			t.Errorf("%s got %.2f %%, want %d", name, share, percent)
		}
	}
}

func TestSplitThroughTheGateway(t *testing.T) {
	e := endpoint(1, deployment("blue", 1, startWorker(t, echo(""))), deployment("green", 1, startWorker(t, echo(""))))
	e.Shares = map[string]int{"blue": 70, "green": 30}
	g := serve(t, Options{}, e)
	got := map[string]int{}
	const requests = 2000
	for range requests {
		got[post(g, "x").Header().Get(scoring.Deployment)]++
	}
	if blue := got["blue"]; blue+got["green"] != requests || blue < 1270 || blue > 1530 { // 1400 ± 6 standard deviations
		t.Errorf("split %v", got)
	}
}

func TestHTTP1AndHTTP2(t *testing.T) {
	address := pythonWorker(t, "import json\ndef init(): pass\ndef run(raw_data): return json.loads(raw_data)\n")
	d := deployment("blue", 4)
	d.Instances = []Instance{{ID: "i", Workers: []Address{address}}}
	g := serve(t, Options{}, endpoint(1, d))
	for proto, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(proto, func(t *testing.T) {
			server := httptest.NewUnstartedServer(g)
			server.EnableHTTP2 = two
			server.TLS = &tls.Config{}
			server.StartTLS()
			defer server.Close()
			for _, size := range []int{0, 10, 100_000, 3 << 20} {
				text, _ := json.Marshal(strings.Repeat("s", size))
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/endpoints/taxi/score", strings.NewReader(string(text)))
				r.Header.Set("Authorization", "Bearer "+testKey)
				a, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(a.Body)
				a.Body.Close()
				if err != nil || a.Proto != proto || a.StatusCode != http.StatusOK || string(body) != string(text) {
					t.Errorf("%s, status %d, %d bytes, error %v; sent %d", a.Proto, a.StatusCode, len(body), err, len(text))
				}
			}
		})
	}
}
