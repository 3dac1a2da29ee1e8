package spec

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hotswap/internal/document"
	"hotswap/internal/online"
)

// ReadDeployment reads a deployment's file. Paths in it are relative to the file.
func ReadDeployment(path string) (Deployment, error) {
	m, err := open(path, "deployment")
	if err != nil {
		return Deployment{}, err
	}
	var d Deployment
	m.Ignore("$schema", "id", "provisioning_state") // az shows them
	d.Name = m.onlineName("name", "deployment")
	d.Endpoint = m.onlineName("endpoint_name", "endpoint")
	m.choice("type", [2]string{"managed", ""})
	d.Description = m.Text("description")
	d.Tags = m.Texts("tags")
	d.Properties = m.Texts("properties")
	m.model(&d)
	d.ModelMountPath = m.Text("model_mount_path")
	m.code(&d)
	m.environment(&d)
	d.Variables = m.Texts("environment_variables")
	m.Require("instance_type")
	d.InstanceType = m.Text("instance_type")
	m.Require("instance_count")
	d.InstanceCount = m.Integer("instance_count", 1, online.MaxInstances, 1)
	m.settings(&d.Deployment)
	d.AppInsights = m.Boolean("app_insights_enabled")
	d.Egress = m.enabled("egress_public_network_access")
	d.DataCollector = m.dataCollector()
	m.Done()
	return d, m.Err()
}

func (m *mapping) settings(d *online.Deployment) {
	if s := m.section("scale_settings"); s != nil {
		s.Require("type")
		s.choice("type", [2]string{"default", ""})
		s.Done()
	}
	r := m.section("request_settings")
	if r == nil {
		r = m.at(&document.Node{}, "request_settings")
	}
	d.Request = online.RequestSettings{
		MaxConcurrentRequestsPerInstance: r.Integer("max_concurrent_requests_per_instance", 1, math.MaxInt32, online.DefaultConcurrency),
		Timeout:                          r.milliseconds("request_timeout_ms", 1, int(online.MaxTimeout/time.Millisecond), online.DefaultTimeout),
		MaxQueueWait:                     r.milliseconds("max_queue_wait_ms", 0, math.MaxInt32, online.DefaultMaxQueueWait),
	}
	r.Done()
	d.Liveness = m.probe("liveness_probe", 1)
	d.Readiness = m.probe("readiness_probe", math.MaxInt32)
}

// probe reads a probe; most is the largest success threshold, which may only be 1 for liveness.
func (m *mapping) probe(key string, most int) online.Probe {
	p := online.DefaultProbe()
	s := m.section(key)
	if s == nil {
		return p
	}
	p.InitialDelay = s.seconds("initial_delay", 0, math.MaxInt32, p.InitialDelay)
	p.Period = s.seconds("period", 1, math.MaxInt32, p.Period)
	p.Timeout = s.seconds("timeout", 1, math.MaxInt32, p.Timeout)
	p.SuccessThreshold = s.Integer("success_threshold", 1, most, p.SuccessThreshold)
	p.FailureThreshold = s.Integer("failure_threshold", 1, math.MaxInt32, p.FailureThreshold)
	s.Done()
	return p
}

// code reads the code folder, which may be anywhere, and the script, which must be in it.
func (m *mapping) code(d *Deployment) {
	s := m.section("code_configuration")
	if s == nil {
		return
	}
	s.Require("code")
	s.Require("scoring_script")
	d.Code.Script = s.Text("scoring_script")
	if n := s.Get("code"); n != nil && s.Is(n, "code", document.KindText) {
		if strings.HasPrefix(n.Text, shortScheme) {
			d.Code.Code = s.ref(n, "code", online.Codes)
		} else if dir, info := s.Find(n); info != nil && !info.IsDir() {
			s.Fail(n.At, "code: %s is a file, want a folder", n.Text)
		} else if d.CodeDir = dir; dir != "" {
			s.script(dir)
		}
	}
	s.Done()
}

// script checks that the scoring script is a file in the code folder, links included.
func (m *mapping) script(dir string) {
	n := m.Get("scoring_script")
	if n == nil || n.Kind != document.KindText || n.Text == "" {
		return
	}
	if !filepath.IsLocal(n.Text) {
		m.Fail(n.At, "scoring_script: %s is outside of the code folder", n.Text)
		return
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		m.Fail(n.At, "scoring_script: %v", err)
		return
	}
	defer func() { _ = root.Close() }()
	if info, err := root.Stat(n.Text); err != nil || !info.Mode().IsRegular() {
		m.Fail(n.At, "scoring_script: no file %s in the code folder", n.Text)
	}
}
