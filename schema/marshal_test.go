package schema

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// JSON holds quantities as a person would write them.
func TestJSONIsAsWritten(t *testing.T) {
	in := Deployment{
		Name: "a", App: "b", Version: "1.10",
		Rollout: Rollout{Timeout: ptr(Duration(120e9)), Rollback: ptr(false)},
		Container: Container{
			Ports:     []Port{{Container: 80, Protocol: TCP}, {HostIP: "::1", Host: 53, Container: 5353, Protocol: UDP}},
			Volumes:   []Volume{{Name: "d", Path: "/d", Size: ptr(Bytes(1 << 30))}},
			Resources: &Resources{CPU: ptr(CPU(1500)), Memory: ptr(Bytes(4e9)), GPUs: ptr(0)},
		},
	}
	got, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"a","app":"b","version":"1.10","rollout":{"timeout":"2m","rollback":false},` +
		`"ports":["80","[::1]:53:5353/udp"],"volumes":[{"name":"d","path":"/d","size":"1Gi"}],` +
		`"resources":{"cpu":"1500m","memory":"4GB","gpus":0}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	var out Deployment
	if err := json.Unmarshal(got, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Error(diff)
	}
}

// What is not set is left out, so that a hash does not change with a new field.
func TestZeroQuantitiesAreLeftOut(t *testing.T) {
	got, err := json.Marshal(struct {
		CPU      CPU      `json:"cpu,omitempty"`
		Memory   Bytes    `json:"memory,omitempty"`
		Duration Duration `json:"duration,omitempty"`
		Version  Version  `json:"version,omitempty"`
	}{})
	if err != nil || string(got) != "{}" {
		t.Errorf("%s, %v", got, err)
	}
}

// What an engine has is no round number; for people it is one, and never more than there is.
func TestShortBytes(t *testing.T) {
	for b, want := range map[Bytes]string{
		0: "0", 8 << 30: "8Gi", 512e6: "512MB", 25276502016: "25.2GB", 7_999_999_999: "7.9GB",
		1_234_567: "1.2MB", 1234: "1234", 123_456: "123.4kB", 2_500_000_000_001: "2.5TB",
	} {
		if got := b.Short(); got != want {
			t.Errorf("%d bytes: %s, want %s", int64(b), got, want)
		}
	}
}

// Every quantity is read back from its own text.
func TestQuantitiesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Bytes(rapid.Int64Range(0, 1<<53).Draw(t, "bytes"))
		if got, err := ParseBytes(b.String()); err != nil || got != b {
			t.Fatalf("%d bytes, written %s, read %d: %v", int64(b), b, int64(got), err)
		}
		c := CPU(rapid.Int64Range(0, 1e9).Draw(t, "cpu"))
		if got, err := ParseCPU(c.String()); err != nil || got != c {
			t.Fatalf("%d thousandths, written %s, read %d: %v", int64(c), c, int64(got), err)
		}
		d := Duration(rapid.Int64Range(0, 1<<62).Draw(t, "duration"))
		if got, err := ParseDuration(d.String()); err != nil || got != d {
			t.Fatalf("%d ns, written %s, read %d: %v", int64(d), d, int64(got), err)
		}
		p := Port{
			HostIP:    rapid.SampledFrom([]string{"", "127.0.0.1", "::1", "fe80::1"}).Draw(t, "ip"),
			Host:      rapid.Uint16().Draw(t, "host"),
			Container: rapid.Uint16Min(1).Draw(t, "container"),
			Protocol:  rapid.SampledFrom([]Protocol{TCP, UDP}).Draw(t, "protocol"),
		}
		if got, err := ParsePort(p.String()); err != nil || got != p {
			t.Fatalf("%+v, written %s, read %+v: %v", p, p, got, err)
		}
	})
}
