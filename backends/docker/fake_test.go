package docker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/docker"
	"github.com/berthdev/berth/schema"
)

// A fakeEngine answers as an engine of one version of the API does.
type fakeEngine struct {
	proxy
	mu           sync.Mutex
	api, least   string // the newest and the oldest version that it speaks
	containers   string // the answer to a listing
	inspected    string // the answer to an inspection
	clock        string // what the time is there
	versionsSeen []string
}

func newFake(t testing.TB, api, least string) *fakeEngine {
	t.Helper()
	f := &fakeEngine{api: api, least: least, containers: "[]", clock: "2026-01-02T03:04:05.678Z"}
	f.serve(t, f)
	return f
}

func (f *fakeEngine) become(api, least string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.api, f.least, f.versionsSeen = api, least, nil
}

var versionedPath = regexp.MustCompile(`^/v(1\.\d+)(/.*)$`)

func minor(version string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(version, "1."))
	if err != nil {
		return 0
	}
	return n
}

func (f *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Api-Version", f.api)
	if r.URL.Path == "/_ping" {
		return
	}
	m := versionedPath.FindStringSubmatch(r.URL.Path)
	if m == nil {
		http.NotFound(w, r)
		return
	}
	f.versionsSeen = append(f.versionsSeen, m[1])
	w.Header().Set("Content-Type", "application/json")
	if minor(m[1]) > minor(f.api) || minor(m[1]) < minor(f.least) {
		word := "new. Maximum supported API version is " + f.api
		if minor(m[1]) < minor(f.least) {
			word = "old. Minimum supported API version is " + f.least
		}
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": fmt.Sprintf("client version %s is too %s", m[1], word)})
		return
	}
	switch m[2] {
	case "/info":
		fmt.Fprintf(w, `{"NCPU": 4, "MemTotal": 8000000000, "Architecture": "aarch64", "OSType": "linux", "ServerVersion": "29.1",
			"SystemTime": %q, "Labels": ["a=b"], "MemoryLimit": true, "CpuCfsQuota": true}`, f.clock)
	case "/containers/json":
		_, _ = io.WriteString(w, f.containers) // the client has gone if this fails
	case "/containers/x/json":
		_, _ = io.WriteString(w, f.inspected)
	case "/events":
		w.WriteHeader(http.StatusOK) // and ends
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeEngine) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.versionsSeen
}

// Old and new engines are spoken to in a version that both know, also when one
// takes the place of the other.
func TestAPIVersions(t *testing.T) {
	f := newFake(t, "1.41", "1.12")
	backend := open(t, "lab", schema.BackendConfig{Host: f.host}, docker.Options{})
	defer backend.Close()
	ctx := context.Background()
	for _, engine := range []struct{ api, least, want string }{
		{"1.41", "1.12", "1.41"},
		{"1.60", "1.44", "1.51"}, // the newest that the client speaks
		{"1.43", "1.24", "1.43"},
	} {
		f.become(engine.api, engine.least)
		if err := backend.Watch(ctx, func(backends.Event) {}); schema.KindOf(err) != schema.Transient {
			t.Errorf("watch: %v", err)
		}
		c, err := backend.Capacity(ctx)
		if err != nil {
			t.Fatalf("%s: %v", engine.api, err)
		}
		if c.Arch != "arm64" || c.CPU != 4000 || c.Labels["a"] != "b" || !strings.HasSuffix(c.Engine, engine.want) {
			t.Errorf("capacity %+v, want API %s", c, engine.want)
		}
		for _, v := range f.seen() {
			if v != engine.want {
				t.Errorf("engine %s was spoken to in %s", engine.api, v)
			}
		}
	}
	f.become("1.60", "1.52") // newer than any that the client speaks
	if _, err := backend.Capacity(ctx); schema.KindOf(err) != schema.Transient {
		t.Errorf("capacity: %v", err)
	}
}

// Answers are bounded, and what is in them is not believed.
func TestHostileAnswers(t *testing.T) {
	f := newFake(t, "1.41", "1.12")
	backend := open(t, "lab", schema.BackendConfig{Host: f.host}, docker.Options{})
	defer backend.Close()
	for name, answer := range map[string]string{
		"endless": "[" + strings.Repeat(`{"Id":"x"},`, 7<<20),
		"no JSON": "<html>",
		"nothing": "",
	} {
		f.mu.Lock()
		f.containers = answer
		f.mu.Unlock()
		if pods, err := backend.Pods(context.Background()); schema.KindOf(err) != schema.Transient || err == nil {
			t.Errorf("%s: %d pods, %v", name, len(pods), err)
		}
	}
	f.mu.Lock()
	f.containers = `[{"Id": "", "Names": null, "Labels": null, "State": "strange"}]`
	f.mu.Unlock()
	if pods, err := backend.Pods(context.Background()); err != nil || len(pods) > 0 {
		t.Errorf("pods %+v, %v", pods, err)
	}
}

// The times of an engine whose clock is not ours are told by ours.
func TestClocks(t *testing.T) {
	labels := `{"berth.dev/instance": "lab", "berth.dev/deployment": "web", "berth.dev/image": "app:1"}`
	for name, ahead := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute, "the same": time.Second} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, "1.41", "1.12")
			there := func(age time.Duration) string { return time.Now().Add(ahead - age).UTC().Format(time.RFC3339Nano) }
			f.containers = `[{"Id": "x", "Names": ["/x"], "State": "running", "Status": "Up 1 minute", "Labels": ` + labels + `}]`
			f.inspected = fmt.Sprintf(`{"Id": "x", "Created": %q, "State": {"Status": "running", "Running": true, "StartedAt": %q},
				"HostConfig": {}, "Config": {"Image": "app:1", "Labels": %s}}`, there(time.Hour), there(time.Minute), labels)
			f.clock = there(0)
			backend := open(t, "lab", schema.BackendConfig{Host: f.host}, docker.Options{})
			defer backend.Close()
			if _, err := backend.Capacity(t.Context()); err != nil {
				t.Fatal(err)
			}
			pods, err := backend.Pods(t.Context())
			if err != nil || len(pods) != 1 {
				t.Fatalf("pods %+v, %v", pods, err)
			}
			for age, told := range map[time.Duration]time.Time{time.Hour: pods[0].CreatedAt, time.Minute: pods[0].StartedAt} {
				if off := time.Since(told) - age; off.Abs() > time.Minute/2 {
					t.Errorf("what was %s ago is told %s from that", age, off)
				}
			}
		})
	}
}
