package rollout

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// Fact is one thing that a deployment is made of. Files on this machine are named by the hash of
// their content.
type Fact struct {
	What  string `json:"what"`
	Value string `json:"value"`
}

// Variables are the environment variables of a deployment without their values, which may be
// secret: only whether they are the same can be told from the sum.
type Variables struct {
	Names []string `json:"names"`
	Salt  string   `json:"salt"`
	Sum   string   `json:"sum"`
}

// The facts that are more than their values.
const (
	factCode        = "code"
	factEnvironment = "environment"
	factTags        = "tags"
	factInstances   = "instances"
)

// settings are the facts of a deployment that it tells itself, in the order in which they are shown.
func settings(d online.Deployment) []Fact {
	d = d.WithDefaults()
	return []Fact{
		{"model", d.Model.String()},
		{"model mount path", d.ModelMountPath},
		{"scoring script", d.Code.Script},
		{"instance type", d.InstanceType},
		{factInstances, strconv.Itoa(d.InstanceCount)},
		{"concurrent requests per instance", strconv.Itoa(d.Request.MaxConcurrentRequestsPerInstance)},
		{"request timeout", d.Request.Timeout.String()},
		{"queue wait", d.Request.MaxQueueWait.String()},
		{"liveness probe", probe(d.Liveness)},
		{"readiness probe", probe(d.Readiness)},
		{"application insights", strconv.FormatBool(d.AppInsights)},
		{"egress", d.Egress},
		{"data collector", canonical(d.DataCollector)},
		{"description", d.Description},
		{"properties", pairs(azure.Own(d.Properties))},
		{factTags, pairs(unmarked(d.Tags))},
	}
}

func probe(p online.Probe) string {
	return fmt.Sprintf("delay %v, period %v, timeout %v, success %d, failure %d", p.InitialDelay, p.Period, p.Timeout, p.SuccessThreshold, p.FailureThreshold)
}

// canonical is JSON in one order and without blanks; what is none stays as it is.
func canonical(text []byte) string {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return string(text)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return string(text)
	}
	return string(out)
}

func pairs(m map[string]string) string {
	words := make([]string, 0, len(m))
	for _, key := range sortedKeys(m) {
		words = append(words, key+"="+m[key])
	}
	return strings.Join(words, ", ")
}

// sameValue compares two values of maps and lists, where an empty one is none.
func sameValue(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprint(a) == fmt.Sprint(b)
}

// altered are the keys of properties that the candidate lacks or has another value for.
func altered(held, want map[string]string) (keys []string) {
	held = azure.Own(held)
	for _, key := range sortedKeys(held) {
		if v, ok := want[key]; !ok || v != held[key] {
			keys = append(keys, key)
		}
	}
	return keys
}

// given are the variables that Azure and our server add to a deployment by themselves.
var given = []string{"AML_APP_ROOT", "AZUREML_ENTRY_SCRIPT", "AZUREML_MODEL_DIR"}

// ownVariables are those of live that somebody set: what the service adds counts where the
// candidate sets it too.
func ownVariables(live, candidate map[string]string) map[string]string {
	own := maps.Clone(live)
	for _, name := range given {
		if _, set := candidate[name]; !set {
			delete(own, name)
		}
	}
	return own
}

// rounds of the sum over variables: their values may be short, and the sum is printed.
const (
	rounds   = 200_000
	saltSize = 16
)

func newSalt() []byte {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // which never fails (crypto/rand)
	return salt
}

// variables makes the sum over names and values.
func variables(set map[string]string, salt []byte) (v Variables, err error) {
	v.Names, v.Salt = sortedKeys(set), hex.EncodeToString(salt)
	text, err := json.Marshal(set) // in the order of the names
	if err != nil {
		return v, online.Errorf(online.Internal, "sum up the variables: %w", err)
	}
	sum, err := pbkdf2.Key(sha256.New, string(text), salt, rounds, sha256.Size)
	if err != nil {
		return v, online.Errorf(online.Internal, "sum up the variables: %w", err)
	}
	v.Sum = hex.EncodeToString(sum)
	return v, nil
}

// code is what a deployment runs; unknown says why its files are not known.
type code struct {
	azure.Code
	name    string // to people
	unknown string
}

// codeOf reads the candidate's code.
func (o *outlook) codeOf(ctx context.Context) (c code, err error) {
	if dir := o.req.Deployment.CodeDir; dir != "" {
		c.Code, err = o.Cloud.FindCode(ctx, dir)
		c.name = dir
		return c, err
	}
	return o.registered(ctx, o.req.Deployment.Code.Code), nil
}

// registered reads code that is registered; what can't be read is told and fails nothing.
func (o *outlook) registered(ctx context.Context, ref online.Ref) (c code) {
	if ref.IsZero() {
		return c
	}
	var err error
	if c.Code, err = o.Cloud.Code(ctx, ref); err != nil {
		c.unknown = err.Error()
	}
	c.name, c.Ref = ref.String(), ref
	return c
}

// id is the code as a plan remembers it.
func (c code) id(local bool) string {
	if local {
		return "sha256:" + c.Hash
	}
	return c.Ref.String()
}

// environment is what a deployment runs in.
type environment struct {
	online.Environment
	build   string // the hash of a build context on this machine
	unknown string
}

// environmentOf reads the candidate's environment, which may be on this machine.
func (o *outlook) environmentOf(ctx context.Context) (e environment, err error) {
	local := o.req.Deployment.LocalEnvironment
	if local == nil {
		return o.readEnvironment(ctx, o.req.Deployment.Environment), nil
	}
	e.Environment = *local
	if local.BuildContext != "" {
		e.build, err = azure.ContentHash(local.BuildContext)
	}
	return e, err
}

func (o *outlook) readEnvironment(ctx context.Context, ref online.Ref) (e environment) {
	e.Ref = ref
	switch {
	case ref.IsZero():
	case ref.Registry != "":
		e.unknown = "it is in the registry " + ref.Registry
	default:
		read, err := o.Cloud.Environment(ctx, ref)
		if err != nil {
			e.unknown = err.Error()
			return e
		}
		e.Environment = read
	}
	return e
}

// id is the environment as a plan remembers it.
func (e environment) id(local bool) string {
	if !local {
		return e.Ref.String()
	}
	sum := sha256.New()
	for _, part := range []string{e.Ref.String(), e.Image, e.CondaFile, e.build, e.Dockerfile, e.OSType, canonical(e.InferenceConfig)} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// candidate is the deployment as it would be put, as far as it is known before anything is
// uploaded.
func (o *outlook) candidate() (d online.Deployment, model string, err error) {
	d = o.req.Deployment.Deployment
	d.Model = o.plan.Model
	local := o.req.Deployment.LocalModel
	if local == nil {
		return d, d.Model.String(), nil
	}
	hash, err := azure.ContentHash(local.Path)
	if err != nil {
		return d, "", err
	}
	d.Model = online.Ref{Kind: online.Models, Name: local.Name, Version: local.Version}
	if local.Name == "" {
		d.Model.Name, d.Model.Version = hash, "1" // as azure.Client.RegisterModel has it
	}
	return d, strings.TrimSpace(local.Name + " " + local.Version + " sha256:" + hash), nil
}

// fact is the value of the fact of that name, "" where there is none.
func fact(facts []Fact, what string) string {
	if i := slices.IndexFunc(facts, func(f Fact) bool { return f.What == what }); i >= 0 {
		return facts[i].Value
	}
	return ""
}
