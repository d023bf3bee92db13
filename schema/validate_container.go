package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bounds on what a container may ask for.
const (
	MaxReplicas = 1000 // of a deployment
	maxCPU      = CPU(10_000 * 1000)
	minMemory   = Bytes(6 << 20) // Docker's own
	maxGPUs     = 1000
	maxRetries  = 1000
	maxWait     = 24 * time.Hour
)

// ownEnv are the variables that every pod gets from Berth.
var ownEnv = []string{"BERTH_DEPLOYMENT", "BERTH_USER", "BERTH_SCOPES", "BERTH_RELEASE", "BERTH_FLAVOUR"}

// validate checks a container's values; prefix is the path to it, with its dot.
func (c *Container) validate(r *report, prefix string) {
	r.arguments(prefix+"command", c.Command)
	r.arguments(prefix+"args", c.Args)
	r.env(prefix+"env", c.Env)
	r.ports(prefix+"ports", c.Ports)
	r.volumes(prefix+"volumes", c.Volumes)
	r.check(pathRule, prefix+"workdir", c.Workdir)
	c.Resources.validate(r, prefix+"resources")
	c.Healthcheck.validate(r, prefix+"healthcheck")
	r.duration(prefix+"stopGracePeriod", c.StopGracePeriod, 0)
	c.Capabilities.validate(r, prefix+"capabilities")
}

// arguments checks the words of a command.
func (r *report) arguments(path string, words []string) {
	for i, w := range words {
		if len(w) > maxValue {
			r.error(fmt.Sprintf("%s[%d]", path, i), "is longer than "+Bytes(maxValue).String(), "put it into a file of the image")
		}
	}
	if len(words) > 0 && words[0] == "" && strings.HasSuffix(path, "command") {
		r.error(path+"[0]", "is empty", "write the program to run")
	}
}

// env checks environment variables. Values are never told: they may be secrets.
func (r *report) env(path string, env map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		at := path + "." + clip(name)
		switch {
		case name == "":
			r.error(path, "a variable has no name", envRule.hint)
		case !r.check(envRule, at, name):
		case slices.Contains(ownEnv, name):
			r.error(at, "is set by Berth", "remove it")
		case len(env[name]) > maxValue:
			r.error(at, "is longer than "+Bytes(maxValue).String(), "put it into a file of the image")
		}
	}
}

// ports checks that no port is published twice.
func (r *report) ports(path string, ports []Port) {
	for i, p := range ports {
		for j, q := range ports[:i] {
			same := p.Protocol == q.Protocol && p.Container != 0 && q.Container != 0
			sameHost := p.Host != 0 && p.Host == q.Host && (p.HostIP == q.HostIP || p.HostIP == "" || q.HostIP == "")
			if same && (p == q || sameHost) {
				r.error(fmt.Sprintf("%s[%d]", path, i), quote(p.String())+" stands twice", fmt.Sprintf("%s[%d] takes that port already", path, j))
				break
			}
		}
	}
}

// volumes checks each volume, and that none hides another.
func (r *report) volumes(path string, volumes []Volume) {
	paths := distinct{}
	for i, v := range volumes {
		at := fmt.Sprintf("%s[%d]", path, i)
		if v == (Volume{}) {
			continue // it could not be decoded, and that was told
		}
		v.validate(r, at)
		paths.add(r, at+".path", strings.TrimRight(v.Path, "/"))
	}
}

func (v *Volume) validate(r *report, at string) {
	sources := 0
	for _, set := range []bool{v.Name != "", v.Host != "", v.Tmpfs} {
		if set {
			sources++
		}
	}
	if sources != 1 {
		r.error(at, "must have exactly one of name, host and tmpfs", "for example {name: data, path: /data}")
	}
	r.check(rule{maxName, volumePattern.MatchString, "is no name of a volume", "use letters, digits, and . _ -"}, at+".name", v.Name)
	r.check(pathRule, at+".host", v.Host)
	if r.check(pathRule, at+".path", v.Path) && strings.Trim(v.Path, "/") == "" && v.Path != "" {
		r.error(at+".path", "would hide the whole image", "mount it on a folder")
	}
	if v.Size != nil && !v.Tmpfs {
		r.error(at+".size", "is for a tmpfs alone", "remove it")
	} else if v.Size != nil && *v.Size <= 0 {
		r.error(at+".size", "must be more than nothing", "for example size: 64Mi")
	}
	if v.Keep != nil && v.Name == "" {
		r.error(at+".keep", "is for a named volume alone", "remove it")
	}
}

func (q *Resources) validate(r *report, path string) {
	if q == nil {
		return
	}
	if q.CPU != nil && (*q.CPU <= 0 || *q.CPU > maxCPU) {
		r.error(path+".cpu", "must be more than 0 and at most "+maxCPU.String(), "for example cpu: 500m")
	}
	if q.Memory != nil && *q.Memory < minMemory {
		hint := "for example memory: 4GB"
		if *q.Memory > 0 && *q.Memory < 10_000 {
			hint = fmt.Sprintf("a bare number is bytes; did you mean %dGB?", *q.Memory)
		}
		r.error(path+".memory", fmt.Sprintf("%s is too little; engines need at least %s", q.Memory, minMemory), hint)
	}
	if q.GPUs != nil {
		r.between(path+".gpus", *q.GPUs, 0, maxGPUs)
	}
}

func (h *Healthcheck) validate(r *report, path string) {
	if h == nil {
		return
	}
	switch {
	case h.Disable && len(h.Command) > 0:
		r.error(path+".disable", "contradicts command", "remove one of the two")
	case !h.Disable && len(h.Command) == 0:
		r.error(path, "command is missing", "for example command: [curl, -f, http://localhost/], or disable: true")
	}
	r.arguments(path+".command", h.Command)
	r.duration(path+".interval", h.Interval, time.Millisecond)
	r.duration(path+".timeout", h.Timeout, time.Millisecond)
	r.duration(path+".startPeriod", h.StartPeriod, 0)
	if h.Retries != nil {
		r.between(path+".retries", *h.Retries, 1, maxRetries)
	}
}

func (c *Capabilities) validate(r *report, path string) {
	if c == nil {
		return
	}
	r.capabilities(path+".add", c.Add)
	r.capabilities(path+".drop", c.Drop)
	for i, name := range c.Add {
		if slices.Contains(c.Drop, name) {
			r.error(fmt.Sprintf("%s.add[%d]", path, i), quote(name)+" is both added and dropped", "remove one of the two")
		}
	}
}

// capabilities checks names of Linux capabilities.
func (r *report) capabilities(path string, names []string) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		if r.filled(at, name) && !slices.Contains(capabilityNames, name) {
			bare := strings.TrimPrefix(strings.ToUpper(name), "CAP_")
			hint := "capabilities(7) lists them; write them without CAP_, as NET_RAW"
			if near := Nearest(bare, capabilityNames); near != "" {
				hint = "did you mean " + near + "?"
			}
			r.error(at, quote(name)+" is no capability", hint)
		}
	}
}
