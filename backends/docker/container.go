package docker

import (
	"math"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	dockernet "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/go-connections/nat"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A recipe is what the engine is asked to make.
type recipe struct {
	config *container.Config
	host   *container.HostConfig
	net    *dockernet.NetworkingConfig
}

// translate turns a workload into what the engine is asked to make. Limits that
// the engine cannot hold a container to are left out.
func translate(instance string, w backends.Workload, labels map[string]string, gpus []backends.GPU, info *system.Info) recipe {
	p := w.Pod
	exposed, bindings := ports(p)
	config := &container.Config{
		Image:        p.Image,
		Entrypoint:   p.Command,
		Cmd:          p.Args,
		Env:          environment(p.Env),
		ExposedPorts: exposed,
		WorkingDir:   p.Workdir,
		User:         p.User,
		Healthcheck:  healthcheck(p.Healthcheck),
		StopTimeout:  seconds(p.StopGracePeriod),
		Labels:       labels,
	}
	host := &container.HostConfig{
		PortBindings:  bindings,
		Mounts:        mounts(instance, w),
		Privileged:    p.Privileged,
		RestartPolicy: container.RestartPolicy{Name: restartPolicy(p.Restart)},
		SecurityOpt:   []string{"no-new-privileges"},
		LogConfig:     logging(info),
		Resources:     limits(p, info),
	}
	host.CapAdd, host.CapDrop = backends.CapabilitySets(p.Capabilities)
	giveGPUs(host, gpus)
	r := recipe{config: config, host: host}
	if p.Network != "" {
		host.NetworkMode = container.NetworkMode(p.Network)
		return r
	}
	name := networkName(instance)
	host.NetworkMode = container.NetworkMode(name)
	r.net = &dockernet.NetworkingConfig{EndpointsConfig: map[string]*dockernet.EndpointSettings{name: membership(w.Deployment)}}
	return r
}

// membership is how a pod is found on the instance's network: by its deployment's name.
func membership(deployment string) *dockernet.EndpointSettings {
	return &dockernet.EndpointSettings{Aliases: []string{deployment}}
}

// environment returns the variables in a fixed order.
func environment(env map[string]string) []string {
	lines := make([]string, 0, len(env))
	for key, value := range env {
		lines = append(lines, key+"="+value)
	}
	slices.Sort(lines)
	return lines
}

// ports returns the ports that the container serves, and where they are published.
// On the host's network they are there already.
func ports(p backends.PodSpec) (nat.PortSet, nat.PortMap) {
	exposed, bindings := nat.PortSet{}, nat.PortMap{}
	for _, port := range p.Ports {
		protocol := port.Protocol
		if protocol == "" {
			protocol = schema.TCP
		}
		key := nat.Port(strconv.Itoa(int(port.Container)) + "/" + string(protocol))
		exposed[key] = struct{}{}
		if p.Network != "" {
			continue
		}
		binding := nat.PortBinding{HostIP: port.HostIP}
		if port.Host != 0 {
			binding.HostPort = strconv.Itoa(int(port.Host))
		}
		bindings[key] = append(bindings[key], binding)
	}
	return exposed, bindings
}

func mounts(instance string, w backends.Workload) []mount.Mount {
	var out []mount.Mount
	for _, v := range w.Pod.Volumes {
		m := mount.Mount{Target: v.Path, ReadOnly: v.ReadOnly}
		switch {
		case v.Tmpfs:
			m.Type = mount.TypeTmpfs
			if v.Size != nil {
				m.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: int64(*v.Size)}
			}
		case v.Host != "":
			m.Type, m.Source = mount.TypeBind, path.Clean(v.Host)
		default:
			m.Type, m.Source = mount.TypeVolume, volumeName(instance, w.Deployment, v.Name)
		}
		out = append(out, m)
	}
	return out
}

// healthcheck returns the health check; nil leaves the image's own.
func healthcheck(h *schema.Healthcheck) *container.HealthConfig {
	switch {
	case h == nil:
		return nil
	case h.Disable:
		return &container.HealthConfig{Test: []string{"NONE"}}
	}
	c := &container.HealthConfig{
		Interval: span(h.Interval), Timeout: span(h.Timeout), StartPeriod: span(h.StartPeriod),
	}
	if len(h.Command) > 0 {
		c.Test = append([]string{"CMD"}, h.Command...)
	}
	if h.Retries != nil {
		c.Retries = *h.Retries
	}
	return c
}

func span(d *schema.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}

// seconds rounds up to whole seconds; nil leaves the engine's default.
func seconds(d time.Duration) *int {
	if d <= 0 {
		return nil
	}
	n := int(math.Ceil(d.Seconds()))
	return &n
}

// restartPolicy returns the engine's word. "always" differs from "unless-stopped"
// only in that the engine, when it starts itself, also starts what was stopped: a
// pod that was given up would be back. What should run, Berth starts.
func restartPolicy(p schema.RestartPolicy) container.RestartPolicyMode {
	switch p {
	case schema.RestartNo:
		return container.RestartPolicyDisabled
	case schema.RestartOnFailure:
		return container.RestartPolicyOnFailure
	default:
		return container.RestartPolicyUnlessStopped
	}
}

// logging rotates logs where the engine would let them grow without end: other
// drivers than json-file bound or forward them.
func logging(info *system.Info) container.LogConfig {
	if info.LoggingDriver != "json-file" {
		return container.LogConfig{}
	}
	return container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m", "max-file": "3"}}
}

// limits returns what the container may use. A CPU is 10^9 of the engine's units.
func limits(p backends.PodSpec, info *system.Info) container.Resources {
	var r container.Resources
	if info.MemoryLimit {
		r.Memory = int64(p.Memory)
	}
	if info.CPUCfsQuota {
		r.NanoCPUs = int64(p.CPU) * 1_000_000
	}
	return r
}
