package kubernetes_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/backends/kubernetes"
	"github.com/berthdev/berth/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit is how long anything may take that needs no pod.
const limit = 2 * time.Minute

// A site is a backend with a namespace of its own.
type site struct {
	*lab
	testing.TB

	namespace string
	instance  string
	b         counted
}

// newSite opens a backend of the instance "lab" in a namespace of its own; what it
// makes goes with the namespace.
func newSite(t testing.TB) *site {
	t.Helper()
	l := newLab(t)
	s := &site{lab: l, TB: t, namespace: l.Namespace(t), instance: "lab"}
	s.b = s.again("lab", schema.BackendConfig{})
	return s
}

// again opens another backend in the site's namespace.
func (s *site) again(instance string, cfg schema.BackendConfig) counted {
	s.Helper()
	cfg.Namespace = s.namespace
	b := s.open(s, instance, cfg)
	s.Cleanup(func() { _ = b.Close() }) // it has nothing to say
	return b
}

// workload returns a workload without pods: those take time.
func (s *site) workload(name string) backends.Workload {
	return backends.Workload{
		Deployment: name, App: "org.example.web", Release: "1.0.0", Flavour: "cpu", Backend: "cluster", User: "john",
		Rollout: backends.Rollout{Strategy: schema.Rolling, Timeout: time.Minute, Rollback: true}, Pod: s.app(),
	}
}

func (s *site) ready(b backends.Backend, w backends.Workload) backends.Progress {
	s.Helper()
	return backendtest.Converge(s, b, w, backends.PhaseReady, limit)
}

func (s *site) deployment(name string) *unstructured.Unstructured {
	s.Helper()
	d, err := s.Resource("apps", "v1", "deployments").Namespace(s.namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return d
}

// edit changes an object as somebody with kubectl does.
func (s *site) edit(group, resource, name, patch string) {
	s.Helper()
	_, err := s.Resource(group, "v1", resource).Namespace(s.namespace).
		Patch(context.Background(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) remove(group, resource, name string) {
	s.Helper()
	if err := s.Resource(group, "v1", resource).Namespace(s.namespace).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
		s.Fatal(err)
	}
}

// What is edited or removed by hand is told with who did it, and put right.
func TestDrift(t *testing.T) {
	s := newSite(t)
	w := s.workload("web")
	s.ready(s.b, w)
	for _, test := range []struct {
		name, told, why string
		tamper          func()
	}{
		{
			"scaled", "Deployment was changed by somebody else (kubectl-edit)", "spec.replicas",
			func() { s.edit("apps", "deployments", "web", `{"spec":{"replicas":1}}`) },
		},
		{
			"another image", "Deployment was changed by somebody else (kubectl-edit)", "image",
			func() {
				s.edit("apps", "deployments", "web", `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"berth.invalid/other:1"}]}}}}`)
			},
		},
		{
			"unlabelled", "Deployment was changed by somebody else", "app.kubernetes.io/name",
			func() {
				s.edit("apps", "deployments", "web", `{"metadata":{"labels":{"app.kubernetes.io/name":null}}}`)
			},
		},
		{
			"removed", "Deployment was removed", "it is not there",
			func() { s.remove("apps", "deployments", "web") },
		},
		{
			"service edited", "Service was changed by somebody else (kubectl-edit)", "spec.selector",
			func() {
				s.edit("", "services", "web", `{"spec":{"selector":{"berth.dev/deployment":"other"}}}`)
			},
		},
		{
			"service removed", "Service was removed", "it is not there",
			func() { s.remove("", "services", "web") },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			events, stop := watching(t, s.b)
			defer stop()
			test.tamper()
			waitFor(t, events, test.told)
			var steps []string
			for late := time.Now().Add(limit); len(steps) == 0 && time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
				_, err := s.b.Apply(t.Context(), w, func(s backends.Step) { steps = append(steps, s.Detail) })
				if err != nil && schema.KindOf(err) != schema.Transient {
					t.Fatal(err)
				}
			}
			if len(steps) == 0 || !strings.Contains(steps[0], test.why) {
				t.Errorf("steps %q, want one that tells of %s", steps, test.why)
			}
			s.ready(s.b, w)
		})
	}
	if d := s.deployment("web"); d.GetLabels()["app.kubernetes.io/name"] == "" {
		t.Errorf("not put right: %v", d.Object)
	}
}

// watching watches a backend, once the stream stands, until stop is called.
func watching(t testing.TB, b backends.Backend) (events <-chan backends.Event, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	all, ended := make(chan backends.Event, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.Watch(ctx, func(e backends.Event) { // why it ends is no matter
			select {
			case all <- e:
			default: // so many that it does not matter
			}
		})
	}()
	waitFor(t, all, "")
	return all, func() { cancel(); <-ended }
}

// waitFor waits for an event that tells so much and is not our own.
func waitFor(t testing.TB, events <-chan backends.Event, what string) {
	t.Helper()
	var others []backends.Event
	for late := time.After(limit); ; {
		select {
		case e := <-events:
			if e.What == what && !e.Ours {
				return
			}
			others = append(others, e)
		case <-late:
			t.Fatalf("no event tells %q, only %+v", what, others)
		}
	}
}

// After a restart nothing is written, however many deployments there are.
func TestRestartWritesNothing(t *testing.T) {
	s := newSite(t)
	var all []backends.Workload
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		w := s.workload(name)
		w.Pod.Env = map[string]string{"NAME": name, "DOLLAR": "$(NAME)", "EMPTY": ""}
		w.Pod.CPU, w.Pod.Memory = 1500, 1<<30
		w.Pod.Volumes = []schema.Volume{{Name: "data", Path: "/data"}, {Tmpfs: true, Path: "/tmp"}}
		all = append(all, w)
		s.ready(s.b, w)
	}
	b := s.again("lab", schema.BackendConfig{})
	for _, w := range all {
		p, err := b.Apply(t.Context(), w, func(s backends.Step) { t.Errorf("%s: a step after the restart: %+v", w.Deployment, s) })
		if err != nil || p.Phase != backends.PhaseReady {
			t.Errorf("%s: %+v, %v", w.Deployment, p, err)
		}
	}
	if n := b.writes(); n > 0 {
		t.Errorf("%d writes", n)
	}
	requests := b.all.Load()
	for _, w := range all {
		if _, err := b.Apply(t.Context(), w, nil); err != nil {
			t.Error(err)
		}
	}
	if n := b.all.Load() - requests; n > 0 {
		t.Errorf("%d requests where the caches tell all", n)
	}
	pods, err := b.Pods(t.Context())
	if err != nil || len(pods) != len(all) || pods[0].State != backends.PodAbsent || pods[0].SpecHash != all[0].SpecHash() {
		t.Errorf("deployments without pods are told as %+v, %v", pods, err)
	}
}

// Two instances work in one namespace as long as they do not want the same name.
func TestTwoInstances(t *testing.T) {
	s := newSite(t)
	other := s.again("other", schema.BackendConfig{})
	s.ready(s.b, s.workload("mine"))
	s.ready(other, s.workload("theirs"))
	for name, b := range map[string]counted{"mine": s.b, "theirs": other} {
		pods, err := b.Pods(t.Context())
		if err != nil || len(pods) != 1 || pods[0].Deployment != name {
			t.Errorf("%s: %+v, %v", name, pods, err)
		}
	}
	if _, err := other.Apply(t.Context(), s.workload("mine"), nil); schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "the instance lab") {
		t.Errorf("another instance's deployment: %v", err)
	}
	if err := other.Uninstall(t.Context(), true, nil); err != nil {
		t.Error(err)
	}
	if owned, err := other.Owned(t.Context()); err != nil || len(owned) > 0 {
		t.Errorf("left: %v, %v", owned, err)
	}
	if owned, err := s.b.Owned(t.Context()); err != nil || len(owned) != 2 {
		t.Errorf("the first instance owns %v, %v", owned, err)
	}
}

// A user's deployments go to a namespace of their own, which is made if that is
// allowed, and from one namespace to another.
func TestNamespaces(t *testing.T) {
	s := newSite(t)
	users := &schema.Namespaces{Template: s.namespace + "-{user}", Create: false}
	if _, err := s.again("lab", schema.BackendConfig{Namespaces: users}).Apply(t.Context(), s.workload("web"), nil); schema.KindOf(err) != schema.Waiting {
		t.Errorf("a namespace that is missing: %v", err)
	}
	users = &schema.Namespaces{Template: s.namespace + "-{user}", Create: true}
	b := s.again("lab-"+s.namespace, schema.BackendConfig{Namespaces: users})
	w := s.workload("web")
	for _, user := range []string{"john", "jane"} {
		t.Cleanup(func() {
			_ = s.Resource("", "v1", "namespaces").Delete(context.Background(), s.namespace+"-"+user, metav1.DeleteOptions{})
		})
		w.User = user
		s.ready(b, w)
		owned, err := b.Owned(t.Context())
		for late := time.Now().Add(limit); err == nil && len(owned) > 2 && time.Now().Before(late); owned, err = b.Owned(t.Context()) {
			time.Sleep(20 * time.Millisecond) // the one before is being removed
		}
		if err != nil || len(owned) != 2 || !strings.HasPrefix(owned[0].Name, s.namespace+"-"+user+"/") {
			t.Errorf("%s: owned %v, %v", user, owned, err)
		}
	}
}

// What cannot be made in its new namespace stays where it is.
func TestMoveWaits(t *testing.T) {
	s := newSite(t)
	instance := "lab-" + s.namespace
	at := func(template string, create bool) counted {
		return s.again(instance, schema.BackendConfig{Namespaces: &schema.Namespaces{Template: template, Create: create}})
	}
	for _, user := range []string{"john", "taken", "jane"} {
		t.Cleanup(func() {
			_ = s.Resource("", "v1", "namespaces").Delete(context.Background(), s.namespace+"-"+user, metav1.DeleteOptions{})
		})
	}
	w := s.workload("web")
	made := at(s.namespace+"-{user}", true)
	s.ready(made, w)
	stays := func(why string) {
		t.Helper()
		owned, err := made.Owned(t.Context())
		if err != nil || len(owned) != 2 || owned[0].Name != s.namespace+"-john/web" {
			t.Errorf("%s: it owns %v, %v", why, owned, err)
		}
	}
	moved := w
	moved.User = "jane"
	if _, err := at(s.namespace+"-{user}", false).Apply(t.Context(), moved, nil); schema.KindOf(err) != schema.Waiting || !strings.Contains(err.Error(), "there is no namespace") {
		t.Errorf("a namespace that is missing: %v", err)
	}
	stays("there is no namespace")

	theirs := w
	theirs.User = "taken"
	s.ready(s.again("other-"+s.namespace, schema.BackendConfig{Namespaces: &schema.Namespaces{Template: s.namespace + "-{user}", Create: true}}), theirs)
	if _, err := made.Apply(t.Context(), theirs, nil); schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "there is one already") {
		t.Errorf("a name that is taken: %v", err)
	}
	stays("the name is taken")

	s.ready(made, moved)
	owned, err := made.Owned(t.Context())
	for late := time.Now().Add(limit); err == nil && len(owned) > 2 && time.Now().Before(late); owned, err = made.Owned(t.Context()) {
		time.Sleep(20 * time.Millisecond) // the one before is being removed
	}
	if err != nil || len(owned) != 2 || owned[0].Name != s.namespace+"-jane/web" {
		t.Errorf("once it can be made it owns %v, %v", owned, err)
	}
}

// Who may not do something is told what must be allowed.
func TestForbidden(t *testing.T) {
	s := newSite(t)
	config := rest.CopyConfig(s.Config)
	config.Impersonate.UserName = "system:serviceaccount:" + s.namespace + ":default"
	b := s.openAs(t, config, "lab", schema.BackendConfig{Namespace: s.namespace})
	t.Cleanup(func() { _ = b.Close() })
	for name, call := range map[string]func() error{
		"pods":  func() error { _, err := b.Pods(t.Context()); return err },
		"watch": func() error { return b.Watch(t.Context(), func(backends.Event) {}) },
		"apply": func() error { _, err := b.Apply(t.Context(), s.workload("web"), nil); return err },
	} {
		err := call()
		var e *schema.Error
		if !errors.As(err, &e) || e.Kind != schema.Terminal || !strings.Contains(e.Hint, "let Berth's user list ") || !strings.Contains(e.Hint, "in namespace "+s.namespace) {
			t.Errorf("%s: %v, want a terminal error whose hint names what is missing", name, err)
		}
	}
	var e *schema.Error
	if _, err := b.Capacity(t.Context()); !errors.As(err, &e) || e.Kind != schema.Terminal || !strings.Contains(e.Hint, "list nodes") {
		t.Errorf("capacity: %v", err)
	}
	cpu, memory := schema.CPU(4000), schema.Bytes(8<<30)
	told := s.openAs(t, config, "lab", schema.BackendConfig{Namespace: s.namespace, Capacity: schema.Offer{CPU: &cpu, Memory: &memory}})
	t.Cleanup(func() { _ = told.Close() })
	if c, err := told.Capacity(t.Context()); err != nil || c.CPU != cpu || c.Memory != memory {
		t.Errorf("capacity as configured: %+v, %v", c, err)
	}
}

// A cluster that goes away is told to be away, until it is back.
func TestAway(t *testing.T) {
	s := newSite(t)
	link := newLink(t, s.Config.Host)
	config := rest.CopyConfig(s.Config)
	config.Host = "https://" + link.listener.Addr().String()
	b := s.openAs(t, config, "lab", schema.BackendConfig{Namespace: s.namespace})
	t.Cleanup(func() { _ = b.Close() })
	w := s.workload("web")
	s.ready(b, w)
	stands, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- b.Watch(context.Background(), func(e backends.Event) {
			if e.Deployment == "" {
				stands <- struct{}{}
			}
		})
	}()
	<-stands
	link.cut()
	select {
	case err := <-ended:
		if schema.KindOf(err) != schema.Transient {
			t.Errorf("the watch ended with %v", err)
		}
	case <-time.After(limit):
		t.Fatal("the watch goes on without a cluster")
	}
	if _, err := b.Pods(t.Context()); schema.KindOf(err) != schema.Transient {
		t.Errorf("pods of a cluster that is away: %v", err)
	}
	link.mend()
	writes := b.writes()
	s.ready(b, w)
	if n := b.writes() - writes; n > 0 {
		t.Errorf("%d writes once it is back", n)
	}
}

// A link is a connection to a server that can be cut.
type link struct {
	listener net.Listener
	server   string
	mu       sync.Mutex
	open     map[net.Conn]bool
	down     bool
	running  sync.WaitGroup
}

func newLink(t testing.TB, host string) *link {
	t.Helper()
	u, err := url.Parse(host)
	if err != nil {
		t.Fatal(err)
	}
	l := &link{server: u.Host, open: map[net.Conn]bool{}}
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l.running.Go(l.accept)
	t.Cleanup(func() {
		_ = l.listener.Close()
		l.cut()
		l.running.Wait()
	})
	return l
}

func (l *link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.server)
		if !l.keep(near, far) || err != nil {
			continue
		}
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			l.running.Go(func() {
				_, _ = io.Copy(pair[0], pair[1]) // it ends when either is closed
				_, _ = pair[0].Close(), pair[1].Close()
			})
		}
	}
}

// keep remembers connections, or closes them while the link is cut.
func (l *link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if c == nil {
			continue
		}
		if l.down {
			_ = c.Close()
		}
		l.open[c] = true
	}
	return !l.down
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for c := range l.open {
		_ = c.Close()
	}
	clear(l.open)
}

func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

var _ backends.Backend = (*kubernetes.Backend)(nil)
