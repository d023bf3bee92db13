package schema

import (
	"fmt"
	"path"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// minInterval is the least time between two looks at a repository.
const minInterval = time.Second

// DesiredName stands for the desired-state repository where repositories are
// named; no [Repo] can have it.
const DesiredName = "desired-state"

// Validate returns what is wrong with the values of a deployment that stands in no
// file; without positions.
func (d *Deployment) Validate() Problems {
	r := &report{}
	d.validate(r)
	return r.problems
}

// validate checks the values of a deployment.
func (d *Deployment) validate(r *report) {
	r.check(labelRule, "name", d.Name)
	r.check(identifierRule, "app", d.App)
	r.check(versionTextRule, "version", d.Version)
	r.check(flavourRule, "flavour", d.Flavour)
	r.check(labelRule, "backend", d.Backend)
	r.check(ownerRule, "user", d.User)
	r.list(scopeRule, "scopes", d.Scopes)
	if d.Replicas != nil {
		r.between("replicas", *d.Replicas, 0, MaxReplicas)
	}
	r.list(labelRule, "dependsOn", d.DependsOn)
	for i, name := range d.DependsOn {
		if name == d.Name && name != "" {
			r.error(fmt.Sprintf("dependsOn[%d]", i), "a deployment cannot wait for itself", "remove it")
		}
	}
	d.Rollout.validate(r)
	r.check(runAsRule, "runAs", d.RunAs)
	d.Container.validate(r, "")
}

func (o *Rollout) validate(r *report) {
	r.duration("rollout.timeout", o.Timeout, time.Second)
	r.duration("rollout.minReady", o.MinReady, 0)
	if o.Timeout != nil && o.MinReady != nil && *o.MinReady >= *o.Timeout {
		r.error("rollout.minReady", "leaves no time to become ready in", "make timeout longer than minReady")
	}
}

// validate checks the values of an app repository.
func (p *Repo) validate(r *report) {
	if r.check(labelRule, "name", p.Name) && p.Name == DesiredName {
		r.error("name", "is the name of the desired-state repository itself", "choose another one")
	}
	r.repoURL("url", p.URL)
	r.check(refRule, "ref", p.Ref)
	r.duration("interval", p.Interval, minInterval)
	r.list(rule{maxLine, isGlob, "is no glob within the repository", "write it as apps/**/manifest.yaml, without a / before it and without .."}, "paths", p.Paths)
	r.list(rule{maxIdentifier, isIdentifierPattern, "is no pattern of identifiers", "write an identifier, with * for any text, as in org.example.*"}, "apps", p.Apps)
	r.between("priority", p.Priority, -1_000_000, 1_000_000)
}

// isGlob tells whether s is a glob of paths below a folder.
func isGlob(s string) bool {
	return isLine(s) && !path.IsAbs(s) && !hasDotDot(s) && doublestar.ValidatePattern(s)
}
