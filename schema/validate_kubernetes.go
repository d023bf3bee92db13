package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// What Kubernetes allows as names: a DNS subdomain for most objects, and a
// qualified name for a taint's key.
var (
	subdomainPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	qualifiedPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)

	objectRule = rule{maxName, subdomainPattern.MatchString, "is no name of a Kubernetes object",
		"use lower-case letters, digits, - and ., with a letter or digit at both ends"}
	taintRule = rule{maxName + maxLabel, qualifiedPattern.MatchString, "is no key of a taint",
		"write it as example.org/lab, without value and effect"}
)

func (l *LeaderElection) validate(r *report) {
	r.check(labelRule, "leaderElection.namespace", l.Namespace)
	r.check(objectRule, "leaderElection.lease", l.Lease)
	if !l.Enabled && (l.Namespace != "" || l.Lease != "") {
		r.error("leaderElection", "is not enabled, but names a Lease", "add enabled: true, or remove it")
	}
}

func (b *BackendConfig) validateKubernetes(r *report, at string) {
	r.check(fileRule, at+".kubeconfig", b.Kubeconfig)
	r.check(lineRule, at+".context", b.Context)
	r.check(labelRule, at+".namespace", b.Namespace)
	if b.Namespaces != nil {
		b.Namespaces.validate(r, at+".namespaces")
	}
	r.check(objectRule, at+".serviceAccount", b.ServiceAccount)
	r.list(objectRule, at+".imagePullSecrets", b.ImagePullSecrets)
	r.list(taintRule, at+".tolerations", b.Tolerations)
	r.check(objectRule, at+".storageClass", b.StorageClass)
	if b.StorageSize != nil && *b.StorageSize <= 0 {
		r.error(at+".storageSize", "must be more than nothing", "for example storageSize: 10Gi")
	}
}

// The placeholders of a namespace template.
const (
	placeUser  = "{user}"
	placeGroup = "{group}"
)

func (n *Namespaces) validate(r *report, at string) {
	r.template(at+".template", n.Template)
	if n.Groups != nil && n.Template != "" && !strings.Contains(n.Template, placeGroup) {
		r.error(at+".groups", "the template does not name them", "write {group} in the template, or remove groups")
	}
	names, users := distinct{}, distinct{}
	for i, g := range n.Groups {
		in := fmt.Sprintf("%s.groups[%d]", at, i)
		r.check(labelRule, in+".name", g.Name)
		names.add(r, in+".name", g.Name)
		r.list(ownerRule, in+".users", g.Users)
		for j, user := range g.Users {
			users.add(r, fmt.Sprintf("%s.users[%d]", in, j), user)
		}
	}
}

// template checks the template of a namespace. The text before the placeholder
// keeps whoever writes a deployment from choosing a namespace that others made.
func (r *report) template(path, text string) {
	if text == "" {
		return // where it is missing, decoding has told
	}
	before, after, found := strings.Cut(text, placeUser)
	if !found {
		before, after, found = strings.Cut(text, placeGroup)
	}
	switch {
	case !found:
		r.error(path, quote(text)+" has neither {user} nor {group} in it", "write it as berth-{user}")
	case strings.Trim(before, "-") == "":
		r.error(path, quote(text)+" begins with what others choose", "put text of your own before it, as in berth-{user}")
	case len(text) > maxLabel/2 || !labelPattern.MatchString(before+"x"+after):
		r.error(path, quote(text)+" makes no DNS label", "use one {user} or {group}, and lower-case letters, digits and -, at most 31 in all")
	}
}
