package docker

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

func TestEndpoints(t *testing.T) {
	b := &Backend{endpoint: &endpoint{host: "engine"}}
	port := func(ip string, public, private uint16, kind string) container.Port {
		return container.Port{IP: ip, PublicPort: public, PrivatePort: private, Type: kind}
	}
	tests := []struct {
		name  string
		ports []container.Port
		want  []backends.Endpoint
	}{
		{"not published", []container.Port{port("", 0, 80, "tcp")}, nil},
		{"both families", []container.Port{port("::", 32769, 80, "tcp"), port("0.0.0.0", 32768, 80, "tcp")}, []backends.Endpoint{{Host: "engine", Port: 32768, Container: 80, Protocol: schema.TCP}}},
		{"IPv6 only", []container.Port{port("::", 1, 80, "tcp")}, []backends.Endpoint{{Host: "engine", Port: 1, Container: 80, Protocol: schema.TCP}}},
		{"one address", []container.Port{port("127.0.0.1", 1, 80, "tcp"), port("::", 2, 53, "udp")}, []backends.Endpoint{
			{Host: "engine", Port: 2, Container: 53, Protocol: schema.UDP}, {Host: "127.0.0.1", Port: 1, Container: 80, Protocol: schema.TCP},
		}},
		{"twice", []container.Port{port("0.0.0.0", 2, 80, "tcp"), port("0.0.0.0", 1, 80, "tcp")}, []backends.Endpoint{
			{Host: "engine", Port: 1, Container: 80, Protocol: schema.TCP}, {Host: "engine", Port: 2, Container: 80, Protocol: schema.TCP},
		}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, b.endpoints(test.ports)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// What an inspection tells of ports leads to the same endpoints as a listing.
func TestPublished(t *testing.T) {
	b := &Backend{endpoint: &endpoint{host: "engine"}}
	ports := nat.PortMap{
		"80/tcp":   {{HostIP: "0.0.0.0", HostPort: "32768"}, {HostIP: "::", HostPort: "32769"}},
		"53/udp":   {{HostIP: "127.0.0.1", HostPort: "53"}},
		"90/tcp":   nil,
		"9000/tcp": {{HostIP: "0.0.0.0", HostPort: ""}},
	}
	want := []backends.Endpoint{
		{Host: "127.0.0.1", Port: 53, Container: 53, Protocol: schema.UDP},
		{Host: "engine", Port: 32768, Container: 80, Protocol: schema.TCP},
	}
	if diff := cmp.Diff(want, b.endpoints(published(ports))); diff != "" {
		t.Error(diff)
	}
}

func TestMoment(t *testing.T) {
	for text, zero := range map[string]bool{"0001-01-01T00:00:00Z": true, "": true, "x": true, "2026-01-02T03:04:05.678901234Z": false} {
		if got := moment(text); got.IsZero() != zero {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// A container that ends counts as unhealthy, whatever its health check said.
func TestReason(t *testing.T) {
	state := func(change func(*container.State)) container.InspectResponse {
		s := &container.State{Status: container.StateExited, ExitCode: 1}
		change(s)
		return container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{State: s}}
	}
	unhealthy := func(streak int) func(*container.State) {
		return func(s *container.State) {
			s.Health = &container.Health{Status: container.Unhealthy, FailingStreak: streak, Log: []*container.HealthcheckResult{{ExitCode: 7}}}
		}
	}
	once := func(c container.InspectResponse) container.InspectResponse {
		c.Config = &container.Config{Healthcheck: &container.HealthConfig{Retries: 1}}
		return c
	}
	for _, test := range []struct {
		name string
		of   container.InspectResponse
		want string
	}{
		{"ended", state(func(*container.State) {}), ""},
		{"ended, never checked", state(unhealthy(0)), ""},
		{"ended during a check", state(unhealthy(1)), ""},
		{"unhealthy at the first failure", once(state(unhealthy(1))), "its health check failed 1 times in a row, last with exit code 7"},
		{"unhealthy", state(unhealthy(3)), "its health check failed 3 times in a row, last with exit code 7"},
		{"out of memory", state(func(s *container.State) { s.OOMKilled = true }), "it was killed because it used more memory than it may"},
	} {
		if got := reason(test.of); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
