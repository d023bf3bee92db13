package docker_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	dockerimage "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/backends/docker"
	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/internal/image"
	"github.com/berthdev/berth/schema"
)

const patience = 3 * time.Minute

// A bench is what most tests here need.
type bench struct {
	testing.TB
	engine   *client.Client
	instance string
	registry *dockertest.Registry
	config   string // the folder of the Docker configuration
}

func newBench(t testing.TB) *bench {
	t.Helper()
	engine := dockertest.Engine(t)
	b := &bench{TB: t, engine: engine, instance: dockertest.Instance(t, engine), registry: dockertest.NewRegistry(t), config: t.TempDir()}
	t.Cleanup(b.removeImages)
	return b
}

// removeImages removes what was pulled from the registry.
func (b *bench) removeImages() {
	ctx := context.Background()
	images, err := b.engine.ImageList(ctx, dockerimage.ListOptions{All: true})
	if err != nil {
		b.Error(err)
	}
	if err := dockertest.Cleanup(ctx, b.engine, b.instance); err != nil {
		b.Error(err)
	}
	for _, i := range images {
		for _, name := range append(i.RepoTags, i.RepoDigests...) {
			if strings.HasPrefix(name, b.registry.Host) || strings.Contains(name, b.instance) {
				if _, err := b.engine.ImageRemove(ctx, name, dockerimage.RemoveOptions{Force: true}); err != nil && !cerrdefs.IsNotFound(err) {
					b.Error(err)
				}
			}
		}
	}
}

func (b *bench) open(cfg schema.BackendConfig) *docker.Backend {
	b.Helper()
	backend := open(b.TB, b.instance, cfg, docker.Options{DockerConfig: b.config})
	b.Cleanup(func() { backend.Close() })
	return backend
}

// add serves an image of the test app that is unlike all others.
func (b *bench) add(name, tag string) (ref, digest string) {
	b.Helper()
	return b.registry.Add(b, name, tag, b.spec())
}

func (b *bench) spec() image.Spec {
	spec := dockertest.AppSpec(b, "")
	spec.Labels = map[string]string{"unique": fmt.Sprint(time.Now().UnixNano())}
	return spec
}

func (b *bench) workload(spec backends.PodSpec) backends.Workload {
	return backends.Workload{
		Deployment: "web", App: "org.example.web", Release: "1.0.0", Flavour: "cpu", Replicas: 1, Pod: spec,
		Rollout: backends.Rollout{Strategy: schema.Rolling, Timeout: time.Minute, Rollback: true},
	}
}

func (b *bench) ready(backend backends.Backend, w backends.Workload) backends.Pod {
	b.Helper()
	return backendtest.Converge(b, backend, w, backends.PhaseReady, patience).Pods[0]
}

// refused applies the workload and holds that it fails in the way that is told.
func (b *bench) refused(backend backends.Backend, w backends.Workload, kind schema.ErrorKind, words ...string) {
	b.Helper()
	_, err := backend.Apply(b.context(), w, nil)
	var e *schema.Error
	if !errors.As(err, &e) || e.Kind != kind {
		b.Fatalf("error %v, want one that is %s", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			b.Errorf("error %q does not tell %q", err, word)
		}
	}
	if e.Hint == "" {
		b.Errorf("error %q has no hint", err)
	}
}

func (b *bench) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	b.Cleanup(cancel)
	return ctx
}

func (b *bench) has(ref string) bool {
	b.Helper()
	_, err := b.engine.ImageInspect(b.context(), ref)
	if err != nil && !cerrdefs.IsNotFound(err) {
		b.Fatal(err)
	}
	return err == nil
}

func TestPullPolicies(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	ref, digest := b.add("org/app", "1")

	w := b.workload(backends.PodSpec{Image: ref, Pull: schema.PullNever})
	b.refused(backend, w, schema.Waiting, ref, "never")
	if n := b.registry.Asked(); n != 0 {
		t.Errorf("never: the registry was asked %d times", n)
	}

	w.Pod.Pull = schema.PullMissing
	var mu sync.Mutex
	var verbs []string
	_, err := backend.Apply(b.context(), w, func(s backends.Step) {
		mu.Lock()
		defer mu.Unlock()
		if s.Done {
			verbs = append(verbs, s.Verb)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"pull", "create", "start"}; !slices.Equal(verbs, want) {
		t.Errorf("steps %v, want %v", verbs, want)
	}
	if p := b.ready(backend, w); p.Image != ref || p.Digest != digest {
		t.Errorf("image %s, digest %s; want %s, %s", p.Image, p.Digest, ref, digest)
	}
	asked := b.registry.Asked()
	w.Release, w.Pod.Env = "2.0.0", map[string]string{"A": "b"}
	b.ready(backend, w)
	if n := b.registry.Asked(); n != asked {
		t.Error("missing: what is there was asked for")
	}

	_, moved := b.add("org/app", "1")
	w.Release, w.Pod.Pull = "3.0.0", schema.PullAlways
	if p := b.ready(backend, w); p.Digest != moved {
		t.Errorf("always: digest %s, want %s", p.Digest, moved)
	}
	byDigest := b.workload(backends.PodSpec{Image: b.registry.Host + "/org/app@" + digest})
	byDigest.Deployment = "pinned"
	if p := b.ready(backend, byDigest); p.Digest != digest || p.Image != byDigest.Pod.Image {
		t.Errorf("by digest: image %s, digest %s", p.Image, p.Digest)
	}
}

func TestPullRefusals(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	b.refused(backend, b.workload(backends.PodSpec{Image: b.registry.Host + "/org/app:9"}), schema.Waiting, "/org/app:9", "push")
	b.refused(backend, b.workload(backends.PodSpec{Image: b.registry.AddForeign(t, "org/app", "s390x")}), schema.Invalid, "processor")
	b.refused(backend, b.workload(backends.PodSpec{Image: "UPPER/case:1"}), schema.Invalid, "UPPER/case")
	b.refused(backend, b.workload(backends.PodSpec{Image: "127.0.0.1:1/org/app:1"}), schema.Transient, "does not answer")
	if pods, err := backend.Pods(b.context()); err != nil || len(pods) > 0 {
		t.Errorf("pods %v, %v", pods, err)
	}
}

func TestPullWithCredentials(t *testing.T) {
	b := newBench(t)
	b.registry.User, b.registry.Password = "john", "s3cret:x"
	ref, _ := b.add("org/private", "1")
	backend := b.open(schema.BackendConfig{})
	w := b.workload(backends.PodSpec{Image: ref})
	b.refused(backend, w, schema.Waiting, "docker login")

	config := func(text string, args ...any) {
		if err := os.WriteFile(filepath.Join(b.config, "config.json"), fmt.Appendf(nil, text, args...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config(`{"auths": {%q: {"auth": %q}}}`, b.registry.Host, base64.StdEncoding.EncodeToString([]byte("john:wrong-s3cret")))
	_, err := backend.Apply(b.context(), w, nil)
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("wrong password: %v", err)
	}
	config(`{"auths": {%q: {"auth": %q}}}`, "https://"+b.registry.Host+"/v1/", base64.StdEncoding.EncodeToString([]byte("john:s3cret:x")))
	b.ready(backend, w)

	b.removeImages()
	helper := t.TempDir()
	script := "#!/bin/sh\n[ \"$(cat)\" = " + b.registry.Host + " ] && echo '{\"Username\": \"john\", \"Secret\": \"s3cret:x\"}'\n"
	if err := os.WriteFile(filepath.Join(helper, "docker-credential-test"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", helper+":"+os.Getenv("PATH"))
	config(`{"credHelpers": {%q: "test"}}`, b.registry.Host)
	b.ready(backend, w)
}

// Many who want one image cause one pull; it ends when nobody wants it any more.
func TestPullIsShared(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	ref, _ := b.add("org/app", "1")
	begun, goOn := make(chan struct{}, 10), make(chan struct{})
	b.registry.BeforeLayer(func() { begun <- struct{}{}; <-goOn })

	ctx, cancel := context.WithCancel(b.context())
	alone := make(chan error, 1)
	go func() {
		_, err := backend.Apply(ctx, b.workload(backends.PodSpec{Image: ref}), nil)
		alone <- err
	}()
	<-begun
	cancel()
	if err := <-alone; !errors.Is(err, context.Canceled) || schema.KindOf(err) != schema.Transient {
		t.Errorf("cancelled: %v", err)
	}

	const many = 3
	var all sync.WaitGroup
	wanted := make(chan string, 1000)
	asked := b.registry.Asked()
	for i := range many {
		all.Go(func() {
			w := b.workload(backends.PodSpec{Image: ref})
			w.Deployment = fmt.Sprint("web-", i)
			if _, err := backend.Apply(b.context(), w, func(s backends.Step) { wanted <- s.Verb }); err != nil {
				t.Error(err)
			}
		})
	}
	for range many {
		if verb := <-wanted; verb != "pull" {
			t.Errorf("the first step is to %s", verb)
		}
	}
	<-begun // the pull waits for its layer
	close(goOn)
	all.Wait()
	if n := b.registry.Asked() - asked; n > 2 { // one pull asks with HEAD or GET, by tag and by digest
		t.Errorf("the registry was asked %d times", n)
	}
}

func TestPruneImages(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{PruneImages: true})
	old, _ := b.add("org/app", "1")
	current, _ := b.add("org/app", "2")
	kept, _ := b.add("org/app", "3")
	own, _ := b.add("org/own", "1")
	pullBy := func(ref string) {
		body, err := b.engine.ImagePull(b.context(), ref, dockerimage.PullOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Fatal(err)
		}
	}
	pullBy(own)

	run := func(ref string, pull schema.PullPolicy) {
		b.ready(backend, b.workload(backends.PodSpec{Image: ref, Pull: pull}))
	}
	run(own, schema.PullAlways) // it is there already: it is not Berth's
	run(kept, "")
	run(old, "")
	first, err := b.engine.ImageInspect(b.context(), old)
	if err != nil {
		t.Fatal(err)
	}
	b.add("org/app", "1") // the tag moves on
	run(old, schema.PullAlways)
	run(current, "")

	backend = b.open(schema.BackendConfig{PruneImages: true}) // after a restart
	keep := func(ref string) bool { return ref == kept }
	if err := backend.PruneImages(b.context(), keep); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]bool{old: false, first.ID: false, current: true, kept: true, own: true} {
		if got := b.has(ref); got != want {
			t.Errorf("image %s is there: %t, want %t", ref, got, want)
		}
	}
	owned, err := backend.Owned(b.context())
	if err != nil {
		t.Fatal(err)
	}
	var images []string
	for _, o := range owned {
		if o.Kind == "image" {
			images = append(images, o.Name)
		}
	}
	slices.Sort(images)
	if want := []string{current, kept}; !slices.Equal(images, want) {
		t.Errorf("owned images %v, want %v", images, want)
	}
	if err := backend.Uninstall(b.context(), true, nil); err != nil {
		t.Fatal(err)
	}
	if b.has(current) || b.has(kept) || !b.has(own) {
		t.Error("uninstalling removes the images that Berth pulled, and no others")
	}
	if owned, err := backend.Owned(b.context()); err != nil || len(owned) > 0 {
		t.Errorf("left: %v, %v", owned, err)
	}
}

func TestPruneImagesOnlyIfConfigured(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	ref, _ := b.add("org/app", "1")
	b.ready(backend, b.workload(backends.PodSpec{Image: ref}))
	if err := backend.Remove(b.context(), "web", nil); err != nil {
		t.Fatal(err)
	}
	if err := backend.PruneImages(b.context(), func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if !b.has(ref) {
		t.Error("an image was removed")
	}
}
