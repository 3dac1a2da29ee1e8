package spec

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hotswap/internal/online"
)

// ReadDeployment reads a deployment's file. Paths in it are relative to the file.
func ReadDeployment(path string) (Deployment, error) {
	r, m, err := open(path, "deployment")
	if err != nil {
		return Deployment{}, err
	}
	var d Deployment
	m.ignore("$schema", "id", "provisioning_state") // az shows them
	d.Name = m.onlineName("name", "deployment")
	d.Endpoint = m.onlineName("endpoint_name", "endpoint")
	m.choice("type", [2]string{"managed", ""})
	d.Description = m.text("description")
	d.Tags = m.texts("tags")
	d.Properties = m.texts("properties")
	m.model(&d)
	d.ModelMountPath = m.text("model_mount_path")
	m.code(&d)
	m.environment(&d)
	d.Variables = m.texts("environment_variables")
	m.require("instance_type")
	d.InstanceType = m.text("instance_type")
	m.require("instance_count")
	d.InstanceCount = m.integer("instance_count", 1, online.MaxInstances, 1)
	m.settings(&d.Deployment)
	d.AppInsights = m.boolean("app_insights_enabled")
	d.Egress = m.enabled("egress_public_network_access")
	d.DataCollector = m.dataCollector()
	m.done()
	return d, r.err()
}

func (m *mapping) settings(d *online.Deployment) {
	if s := m.section("scale_settings"); s != nil {
		s.require("type")
		s.choice("type", [2]string{"default", ""})
		s.done()
	}
	r := m.section("request_settings")
	if r == nil {
		r = &mapping{reader: m.reader, node: &node{}}
	}
	d.Request = online.RequestSettings{
		MaxConcurrentRequestsPerInstance: r.integer("max_concurrent_requests_per_instance", 1, math.MaxInt32, online.DefaultConcurrency),
		Timeout:                          r.milliseconds("request_timeout_ms", 1, int(online.MaxTimeout/time.Millisecond), online.DefaultTimeout),
		MaxQueueWait:                     r.milliseconds("max_queue_wait_ms", 0, math.MaxInt32, online.DefaultMaxQueueWait),
	}
	r.done()
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
	p.SuccessThreshold = s.integer("success_threshold", 1, most, p.SuccessThreshold)
	p.FailureThreshold = s.integer("failure_threshold", 1, math.MaxInt32, p.FailureThreshold)
	s.done()
	return p
}

// code reads the code folder, which may be anywhere, and the script, which must be in it.
func (m *mapping) code(d *Deployment) {
	s := m.section("code_configuration")
	if s == nil {
		return
	}
	s.require("code")
	s.require("scoring_script")
	d.Code.Script = s.text("scoring_script")
	if n := s.get("code"); n != nil && s.is(n, "code", isText) {
		if strings.HasPrefix(n.text, shortScheme) {
			d.Code.Code = s.ref(n, "code", online.Codes)
		} else if dir, info := s.find(n); info != nil && !info.IsDir() {
			s.fail(n.at, "code: %s is a file, want a folder", n.text)
		} else if d.CodeDir = dir; dir != "" {
			s.script(dir)
		}
	}
	s.done()
}

// script checks that the scoring script is a file in the code folder, links included.
func (m *mapping) script(dir string) {
	n := m.get("scoring_script")
	if n == nil || n.kind != isText || n.text == "" {
		return
	}
	if !filepath.IsLocal(n.text) {
		m.fail(n.at, "scoring_script: %s is outside of the code folder", n.text)
		return
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		m.fail(n.at, "scoring_script: %v", err)
		return
	}
	defer func() { _ = root.Close() }()
	if info, err := root.Stat(n.text); err != nil || !info.Mode().IsRegular() {
		m.fail(n.at, "scoring_script: no file %s in the code folder", n.text)
	}
}
