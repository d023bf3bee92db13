package backends

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
)

// What container engines let a container do unless told otherwise, and what of
// it Berth takes away: forging packets, and making device files.
var (
	defaultCapabilities = []string{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
		"NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
	}
	droppedCapabilities = []string{"MKNOD", "NET_RAW"}
)

const allCapabilities = "ALL"

// The networks that a pod may ask for instead of the instance's own.
const (
	NetworkHost = "host"
	NetworkNone = "none"
)

// Allowed returns an invalid error if the workload reaches out of its container
// in a way that the configuration does not allow. The planner has refused it
// already; this is the last gate.
func Allowed(w Workload, allow schema.Allow) error {
	refuse := func(format string, args ...any) error {
		return &schema.Error{
			Op: "run", Resource: w.Deployment, Kind: schema.Invalid, Err: fmt.Errorf(format, args...),
			Hint: "the server's configuration may allow it for this backend, under allow",
		}
	}
	p := w.Pod
	if p.Privileged && !allow.Privileged {
		return refuse("privileged mode is not allowed")
	}
	switch p.Network {
	case "", NetworkNone:
	case NetworkHost:
		if !allow.HostNetwork {
			return refuse("the host's network is not allowed")
		}
	default:
		return &schema.Error{
			Op: "run", Resource: w.Deployment, Kind: schema.Invalid, Err: fmt.Errorf("network %q is unknown", p.Network),
			Hint: "write host or none, or leave it out",
		}
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

// CapabilitySets returns what a container engine must add to and drop from its
// default set of capabilities, both sorted. What Berth takes away is dropped
// unless it is asked for.
func CapabilitySets(change *schema.Capabilities) (add, drop []string) {
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
