package backends_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// meaning is told when a golden hash differs.
const meaning = `The hash of a specification changed. With this change, an upgrade of Berth would
replace every pod that was made with such a specification before. A field that is
new must be left out of the JSON when it is not set (omitempty or omitzero); a
field that is renamed must keep its JSON name. If the change is truly wanted, raise
the version that stands before the hash, and compare pods that carry an older
version in the older way.`

func TestGoldenHashes(t *testing.T) {
	duration := schema.Duration(5 * time.Second)
	retries, size, keep := 3, schema.Bytes(1<<20), false
	full := backends.PodSpec{
		Image: "ghcr.io/example/app:1.2.3", Command: []string{"app"}, Args: []string{"--serve", "<all>"},
		Env:   map[string]string{"B": "2", "A": "1", "BERTH_USER": "jürgen"},
		Ports: []schema.Port{{Host: 8080, Container: 80, Protocol: schema.TCP}, {HostIP: "::1", Container: 53, Protocol: schema.UDP}},
		Volumes: []schema.Volume{
			{Name: "data", Path: "/data", Keep: &keep},
			{Host: "/srv", Path: "/srv", ReadOnly: true},
			{Tmpfs: true, Path: "/tmp", Size: &size},
		},
		Workdir: "/app", User: "1000:1000", CPU: 1500, Memory: 4e9, GPUs: 1, GPUVendor: schema.NVIDIA,
		Healthcheck: &schema.Healthcheck{
			Command: []string{"app", "check"}, Interval: &duration, Timeout: &duration,
			Retries: &retries, StartPeriod: &duration, Disable: true,
		},
		StopGracePeriod: 10 * time.Second, Restart: schema.RestartUnlessStopped, Pull: schema.PullMissing,
		Capabilities: &schema.Capabilities{Add: []string{"NET_RAW"}, Drop: []string{"ALL"}},
		Privileged:   true, Network: "host",
	}
	docker := full // as it was before there was another engine
	full.Needs = []schema.Selector{{Kind: schema.SelectCUDA, Required: true, Weight: 1, Version: "11.2", Memory: 8e9}}
	rollout := backends.Rollout{Strategy: schema.Rolling, Timeout: 2 * time.Minute, MinReady: 3 * time.Second, Rollback: true}
	tests := []struct {
		name        string
		workload    backends.Workload
		spec, input string
	}{
		{"nothing set", backends.Workload{}, "1:17970eb44c72e1c9bf8e383acff25ce6", "1:9529d7298521a5121ce8970b9ae8721f"},
		{"image alone", backends.Workload{Pod: backends.PodSpec{Image: "app:1"}}, "1:88efdf3c85b52cdc04296c1f94d19605", "1:dc8a4aeacc3aa510c35fad299bd50193"},
		{"all but needs", backends.Workload{Pod: docker, Rollout: rollout}, "1:48729bcf95270b830650f25b66378bf2", "1:22e8e758dc63fe224d33354f0c757a11"},
		{"everything set", backends.Workload{Pod: full, Rollout: rollout}, "1:fba24f833daa3d3f5d17b839f3888485", "1:a3212ded225bb13541c62158a657378f"},
	}
	for _, test := range tests {
		if got := test.workload.SpecHash(); got != test.spec {
			t.Errorf("%s: specification %s, want %s\n%s", test.name, got, test.spec, meaning)
		}
		if got := test.workload.InputHash(); got != test.input {
			t.Errorf("%s: input %s, want %s\n%s", test.name, got, test.input, meaning)
		}
	}
	for i, v := 0, reflect.ValueOf(full); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("set the field %s in the full specification too, and take its new hash", v.Type().Field(i).Name)
		}
	}
}

func TestHashLeavesOutWhatIsNotSet(t *testing.T) {
	data, err := json.Marshal(backends.PodSpec{Image: "app:1"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(data), `{"image":"app:1"}`; got != want {
		t.Errorf("hashed %s, want %s: fields that are not set must be left out", got, want)
	}
}

// Quantities are hashed as they are written: to write one otherwise changes the
// hash of every pod that has such a one.
func TestHashedQuantities(t *testing.T) {
	interval, size := schema.Duration(90*time.Second), schema.Bytes(1234567)
	data, err := json.Marshal(backends.PodSpec{
		CPU: 250, Memory: 1536 << 20,
		Ports: []schema.Port{
			{Container: 80, Protocol: schema.TCP}, {Host: 53, Container: 53, Protocol: schema.UDP},
			{HostIP: "127.0.0.1", Container: 81, Protocol: schema.TCP}, {HostIP: "::1", Host: 8080, Container: 80},
		},
		Volumes:         []schema.Volume{{Tmpfs: true, Path: "/tmp", Size: &size}},
		Healthcheck:     &schema.Healthcheck{Interval: &interval},
		StopGracePeriod: 90 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"image":"","ports":["80","53:53/udp","127.0.0.1::81","[::1]:8080:80"],` +
		`"volumes":[{"tmpfs":true,"path":"/tmp","size":"1234567"}],"cpu":"250m","memory":"1536Mi",` +
		`"healthcheck":{"interval":"1m30s"},"stopGracePeriod":90000000000}`
	if got := string(data); got != want {
		t.Errorf("hashed\n%s\nwant\n%s\n%s", got, want, meaning)
	}
}

// Only what a pod is made of decides whether it is replaced.
func TestHashDependsOnThePodAlone(t *testing.T) {
	w := backends.Workload{Pod: backends.PodSpec{Image: "app:1"}}
	other := w
	other.Deployment, other.App, other.Release, other.Flavour, other.Backend = "web", "org.app", "1.0", "cpu", "lab"
	other.User, other.Scopes, other.Source, other.Commit, other.Replicas = "john", []string{"read"}, "a.yaml", "abc", 3
	if w.SpecHash() != other.SpecHash() || w.InputHash() != other.InputHash() {
		t.Error("the hash depends on more than the pod's specification and the rollout")
	}
	other.Rollout.Timeout = time.Minute
	if w.SpecHash() != other.SpecHash() || w.InputHash() == other.InputHash() {
		t.Error("the rollout belongs to the input, not to the specification")
	}
	if !strings.HasPrefix(w.SpecHash(), "1:") {
		t.Errorf("%s does not tell its version", w.SpecHash())
	}
}
