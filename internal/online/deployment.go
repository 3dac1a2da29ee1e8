package online

import "time"

// The slots: the two names that take turns.
const (
	Blue  = "blue"
	Green = "green"
)

// Slots lists the slots in the order in which they are tried.
func Slots() []string { return []string{Blue, Green} }

// CodeConfiguration names the scoring code of a deployment.
type CodeConfiguration struct {
	Code   Ref    // zero where the deployment has no code
	Script string // path of the scoring script below the code folder
}

// RequestSettings bounds what one instance is given to do.
type RequestSettings struct {
	MaxConcurrentRequestsPerInstance int
	Timeout                          time.Duration // 408 after it
	MaxQueueWait                     time.Duration // kept and given back; deprecated by Azure for managed endpoints
}

// Probe says how an instance is asked whether it is well.
type Probe struct {
	InitialDelay, Period, Timeout      time.Duration
	SuccessThreshold, FailureThreshold int
}

// Budget is the time a probe lets pass before its failures count as the instance's failure.
func (p Probe) Budget() time.Duration {
	return p.InitialDelay + time.Duration(p.FailureThreshold)*p.Period
}

// Deployment is one model version with its code, environment and instances behind an endpoint.
type Deployment struct {
	Endpoint, Name      string // in lower case
	Location            string
	Description         string
	Tags                map[string]string
	Properties          map[string]string
	Model               Ref // zero where the code brings its own
	ModelMountPath      string
	Code                CodeConfiguration
	Environment         Ref // zero: the system's python3
	Variables           map[string]string
	InstanceType        string
	InstanceCount       int // 0: it is parked
	Request             RequestSettings
	Liveness, Readiness Probe
	AppInsights         bool
	Egress              string // Enabled or Disabled
	DataCollector       []byte // its JSON, kept and given back; nil where there is none

	// Set by the server; ignored in a request.
	State                 ProvisioningState
	CreatedAt, ModifiedAt time.Time
	CreatedBy             string
}

// Defaults of a deployment (azure-ai-ml 1.34.0 and learn.microsoft.com,
// "CLI (v2) managed online deployment YAML schema").
const (
	DefaultConcurrency  = 1
	DefaultTimeout      = 5 * time.Second
	MaxTimeout          = 180 * time.Second
	DefaultMaxQueueWait = 500 * time.Millisecond
	MaxInstances        = 50 // learn.microsoft.com, "Manage resources and quotas"
)

// DefaultProbe is the probe of a deployment that names none (same source).
func DefaultProbe() Probe {
	return Probe{
		InitialDelay: 10 * time.Second, Period: 10 * time.Second, Timeout: 2 * time.Second,
		SuccessThreshold: 1, FailureThreshold: 30,
	}
}

// WithDefaults returns d with a default in every field that has one and is zero.
func (d Deployment) WithDefaults() Deployment {
	if d.Request.MaxConcurrentRequestsPerInstance == 0 {
		d.Request.MaxConcurrentRequestsPerInstance = DefaultConcurrency
	}
	if d.Request.Timeout == 0 {
		d.Request.Timeout = DefaultTimeout
	}
	if d.Request.MaxQueueWait == 0 {
		d.Request.MaxQueueWait = DefaultMaxQueueWait
	}
	d.Liveness = d.Liveness.withDefaults()
	d.Readiness = d.Readiness.withDefaults()
	if d.Egress == "" {
		d.Egress = "Enabled"
	}
	return d
}

// withDefaults fills an absent probe whole; a probe that is there may mean its zero delay.
func (p Probe) withDefaults() Probe {
	if p == (Probe{}) {
		return DefaultProbe()
	}
	def := DefaultProbe()
	if p.Period == 0 {
		p.Period = def.Period
	}
	if p.Timeout == 0 {
		p.Timeout = def.Timeout
	}
	if p.SuccessThreshold == 0 {
		p.SuccessThreshold = def.SuccessThreshold
	}
	if p.FailureThreshold == 0 {
		p.FailureThreshold = def.FailureThreshold
	}
	return p
}

// Parked tells whether the deployment's processes are to be stopped. What it is made of is kept.
func (d Deployment) Parked() bool { return d.InstanceCount == 0 }

// Check tells what is wrong with a deployment that has its defaults. One that is parked may be right;
// not every server can park one.
func (d Deployment) Check() error {
	if err := CheckName("deployment", d.Name); err != nil {
		return err
	}
	switch r := d.Request; {
	case d.InstanceType == "":
		return Errorf(Invalid, "deployment %q has no instance type", d.Name)
	case d.InstanceCount < 0 || d.InstanceCount > MaxInstances:
		return Errorf(Invalid, "deployment %q asks for %d instances, want 1 to %d", d.Name, d.InstanceCount, MaxInstances)
	case r.MaxConcurrentRequestsPerInstance < 1:
		return Errorf(Invalid, "deployment %q allows %d concurrent requests per instance, want at least 1", d.Name, r.MaxConcurrentRequestsPerInstance)
	case r.Timeout < 0 || r.Timeout > MaxTimeout:
		return Errorf(Invalid, "deployment %q has a request timeout of %v, want at most %v", d.Name, r.Timeout, MaxTimeout)
	case d.Liveness.SuccessThreshold != 1:
		return Errorf(Invalid, "deployment %q has a liveness success threshold of %d, want 1", d.Name, d.Liveness.SuccessThreshold)
	}
	return nil
}
