package docker

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// What Docker lets a container do unless told otherwise, and what of it Berth
// takes away: forging packets, and making device files.
var (
	defaultCapabilities = []string{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
		"NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
	}
	droppedCapabilities = []string{"MKNOD", "NET_RAW"}
)

const allCapabilities = "ALL"

// dnsLabel matches names of instances and deployments, which become part of the
// engine's names.
var dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// check refuses what reaches out of the container unless the configuration
// allows it. The planner has refused it already; this is the last gate.
func check(w backends.Workload, allow schema.Allow) error {
	const hint = "the server's configuration may allow it for this backend, under allow"
	refuse := func(format string, args ...any) error {
		return invalid("run", w.Deployment, hint, format, args...)
	}
	if !dnsLabel.MatchString(w.Deployment) {
		return invalid("run", plain(w.Deployment), "use letters, digits and dashes", "the deployment's name is no DNS label")
	}
	p := w.Pod
	if p.Privileged && !allow.Privileged {
		return refuse("privileged mode is not allowed")
	}
	switch p.Network {
	case "", networkNone:
	case networkHost:
		if !allow.HostNetwork {
			return refuse("the host's network is not allowed")
		}
	default:
		return invalid("run", w.Deployment, "write host or none, or leave it out", "network %q is unknown", p.Network)
	}
	for _, v := range p.Volumes {
		if v.Host != "" && !allowedPath(v.Host, allow.HostPaths) {
			return refuse("mounting %s of the host is not allowed", v.Host)
		}
	}
	if p.Capabilities != nil {
		for _, name := range p.Capabilities.Add {
			c := capability(name)
			if !slices.Contains(defaultCapabilities, c) && !allowedCapability(c, allow.Capabilities) {
				return refuse("adding the capability %s is not allowed", c)
			}
		}
	}
	for key := range p.Env { // an engine's error would print the value
		if key == "" || strings.ContainsAny(key, "=\x00") {
			return invalid("run", w.Deployment, "a name has no \"=\" in it", "the environment variable %q has no usable name", key)
		}
	}
	return nil
}

// allowedPath tells whether a folder of the host is one that is allowed, or below
// one. What a symbolic link on the host points to is the host's business.
func allowedPath(folder string, allowed []string) bool {
	folder = path.Clean(folder)
	return path.IsAbs(folder) && slices.ContainsFunc(allowed, func(a string) bool {
		a = path.Clean(a)
		return path.IsAbs(a) && (folder == a || a == "/" || strings.HasPrefix(folder, a+"/"))
	})
}

func allowedCapability(name string, allowed []string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		a = capability(a)
		return a == allCapabilities || a == name
	})
}

// capability returns a capability's name without prefix, in capitals.
func capability(name string) string {
	return strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "CAP_")
}

// capabilities returns what is added to and dropped from Docker's default.
func capabilities(change *schema.Capabilities) (add, drop []string) {
	if change != nil {
		for _, name := range change.Add {
			add = append(add, capability(name))
		}
		for _, name := range change.Drop {
			drop = append(drop, capability(name))
		}
	}
	for _, name := range droppedCapabilities {
		if !slices.Contains(add, name) && !slices.Contains(add, allCapabilities) && !slices.Contains(drop, allCapabilities) {
			drop = append(drop, name)
		}
	}
	slices.Sort(add)
	slices.Sort(drop)
	return slices.Compact(add), slices.Compact(drop)
}
