package control

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

// workerCount is the variable that says how many processes an instance has, as for
// azureml-inference-server-http 1.5.1, and maxWorkers how many it may ask for here.
const (
	workerCount = "WORKER_COUNT"
	maxWorkers  = 64
)

// processes reads how many processes each instance of d has.
func processes(d online.Deployment) (int, error) {
	text, set := d.Variables[workerCount]
	if !set {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxWorkers {
		return 0, online.Errorf(online.Invalid, "deployment %q has the variable %s=%q: want a number from 1 to %d", d.Name, workerCount, text, maxWorkers)
	}
	return n, nil
}

// launchHash is the hash of everything that a process is started with. Two versions with the same
// one can share their instances.
func launchHash(v store.Version) string {
	if len(v.Variables) == 0 {
		v.Variables = nil // the same as {}, which is another text
	}
	started, _ := json.Marshal(struct { // no value of these types fails
		Model, Code         online.Ref
		Mount, Script       string
		Conda               string
		Variables           map[string]string
		Readiness, Liveness online.Probe
	}{v.Model, v.Code.Code, v.ModelMountPath, v.Code.Script, v.Conda, v.Variables, v.Readiness, v.Liveness})
	sum := sha256.Sum256(started)
	return hex.EncodeToString(sum[:16])
}

// instanceOf is what the launcher gets to know of an instance of v.
func instanceOf(v store.Version, id string) workers.Instance {
	n, _ := processes(v.Deployment) // checked when v was committed
	return workers.Instance{
		ID: id, Endpoint: v.Endpoint, Deployment: v.Name, Processes: n,
		Model: v.Model, Code: v.Code.Code, Script: v.Code.Script, Conda: v.Conda, Variables: v.Variables,
		Readiness: v.Readiness, Liveness: v.Liveness,
	}
}
