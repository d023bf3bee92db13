package docker

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

func TestLabelsRemember(t *testing.T) {
	w := backends.Workload{
		Deployment: "web", App: "org.example", Release: "1.0.0+b@c", Flavour: "GPU (größe)", User: "john", Source: "a/b.yaml", Commit: "c0ffee",
		Rollout: backends.Rollout{MinReady: 3 * time.Second},
		Pod: backends.PodSpec{
			Image: "a/b:1", CPU: 1500, Memory: 1 << 30, Restart: schema.RestartNo,
			Volumes: []schema.Volume{{Name: "b", Keep: ptr(false)}, {Name: "a", Keep: ptr(false)}, {Name: "c"}, {Tmpfs: true, Keep: ptr(false)}},
		},
	}
	labels := podLabels("lab", w, 2, "sha256:d", []string{"0", "GPU-1"})
	want := backends.Pod{
		Deployment: "web", Ordinal: 2, App: "org.example", Release: "1.0.0+b@c", Flavour: "GPU (größe)", Source: "a/b.yaml", Commit: "c0ffee",
		SpecHash: w.SpecHash(), InputHash: w.InputHash(), MinReady: 3 * time.Second, Restart: schema.RestartNo, Image: "a/b:1",
		Digest: "sha256:d", CPU: 1500, Memory: 1 << 30, GPUs: []string{"0", "GPU-1"},
	}
	if diff := cmp.Diff(want, remembered(labels)); diff != "" {
		t.Error(diff)
	}
	if labels[labelInstance] != "lab" || labels[labelUser] != "john" || labels[labelNotKept] != "a,b" {
		t.Errorf("labels %v", labels)
	}
}

// An image may have labels of Berth's; a container inherits what is not written.
func TestLabelsLeaveNothingToTheImage(t *testing.T) {
	least := podLabels("lab", backends.Workload{Deployment: "web"}, 0, "", nil)
	full := podLabels("lab", backends.Workload{
		Deployment: "web", Rollout: backends.Rollout{MinReady: 1},
		Pod: backends.PodSpec{CPU: 1, Memory: 1, Volumes: []schema.Volume{{Name: "a", Keep: ptr(false)}}},
	}, 0, "d", []string{"0"})
	for key := range full {
		if _, ok := least[key]; !ok {
			t.Errorf("%s is not written", key)
		}
	}
}

func TestRememberedBearsAnything(t *testing.T) {
	keys := []string{labelOrdinal, labelMinReady, labelCPU, labelMemory, labelGPUs, labelDeployment}
	rapid.Check(t, func(t *rapid.T) {
		remembered(rapid.MapOf(rapid.SampledFrom(keys), rapid.String()).Draw(t, "labels"))
	})
}

var (
	nameGen       = rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`)
	containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
)

func TestPodNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type pod struct {
			instance, deployment, hash string
			ordinal                    int
		}
		draw := func(label string) pod {
			return pod{
				nameGen.Draw(t, label), nameGen.Draw(t, label), rapid.SampledFrom([]string{"1:aa", "1:bb"}).Draw(t, label),
				rapid.IntRange(0, 20).Draw(t, label),
			}
		}
		name := func(p pod) string { return podName(p.instance, p.deployment, p.ordinal, p.hash) }
		a, b := draw("a"), draw("b")
		if !containerName.MatchString(name(a)) || len(name(a)) > 120 || strings.HasSuffix(name(a), failedSuffix) {
			t.Fatalf("unusable name %q", name(a))
		}
		if (a == b) != (name(a) == name(b)) {
			t.Fatalf("%+v and %+v: %q and %q", a, b, name(a), name(b))
		}
	})
	if podName("a-b", "c", 0, "h") == podName("a", "b-c", 0, "h") {
		t.Error("names of instances and deployments run together")
	}
}

func TestVolumeNames(t *testing.T) {
	if volumeName("a-b", "c", "d") == volumeName("a", "b-c", "d") {
		t.Error("names run together")
	}
	if got := volumeName("lab", "web", "data"); got != "berth-lab.web.data" {
		t.Errorf("name %q", got)
	}
}
