package kubernetes

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// A cluster is what is there of one deployment, made step by step as Kubernetes'
// controllers do.
type cluster struct {
	tester
	s   settings
	now time.Time
	observation
	made int
}

// A tester is what testing and rapid have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func newCluster(t testing.TB) *cluster { return &cluster{tester: t, s: lab(), now: noon} }

// decide asks what to do now.
func (c *cluster) decide(w backends.Workload) decision {
	c.Helper()
	o, err := c.s.objects(w)
	if err != nil {
		c.Fatal(err)
	}
	d, err := c.s.decide(w, o.Deployment, c.observation, c.now)
	if err != nil {
		c.Fatal(err)
	}
	return d
}

// apply asks, and applies what must be applied; the server counts it.
func (c *cluster) apply(w backends.Workload) decision {
	c.Helper()
	d := c.decide(w)
	if d.Apply == nil {
		c.Fatalf("nothing to apply: %+v", d)
	}
	live := defaulted(d.Apply)
	live.Annotations[revision] = "1"
	live.Generation, live.UID, live.CreationTimestamp = 1, "d1", metav1.NewTime(c.now)
	live.Status = appsv1.DeploymentStatus{}
	if c.Deployment != nil {
		live.Generation, live.Annotations[revision] = c.Deployment.Generation+1, c.Deployment.Annotations[revision]
		live.Status = *c.Deployment.Status.DeepCopy()
	}
	c.Deployment = live
	return d
}

// control does what the Deployment's controller does: it has a ReplicaSet for the
// template, with the Deployment's annotations.
func (c *cluster) control() *appsv1.ReplicaSet {
	newest := 0
	for _, r := range c.ReplicaSets {
		newest = max(newest, revisionOf(r))
	}
	hash := hashOf(&c.Deployment.Spec.Template)[:8]
	var set *appsv1.ReplicaSet
	for _, r := range c.ReplicaSets {
		if r.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == hash {
			set = r
		}
	}
	if set == nil {
		set = &appsv1.ReplicaSet{}
		set.Name, set.UID, set.Labels = c.Deployment.Name+"-"+hash, types.UID("r-"+hash), maps.Clone(c.Deployment.Spec.Template.Labels)
		set.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
		set.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(c.Deployment, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
		set.Spec.Template = *c.Deployment.Spec.Template.DeepCopy()
		set.Spec.Template.Labels = set.Labels
		set.Annotations = map[string]string{}
		set.CreationTimestamp = metav1.NewTime(c.now.Add(time.Duration(len(c.ReplicaSets)) * time.Second))
		c.ReplicaSets = append(c.ReplicaSets, set)
	}
	if revisionOf(set) < newest || newest == 0 {
		newest++
	}
	maps.Copy(set.Annotations, c.Deployment.Annotations)
	set.Annotations[revision] = fmt.Sprint(newest)
	set.Spec.MinReadySeconds = c.Deployment.Spec.MinReadySeconds
	c.Deployment.Annotations[revision] = fmt.Sprint(newest)
	c.Deployment.Status.ObservedGeneration = c.Deployment.Generation
	return set
}

// pod adds a pod of a ReplicaSet; it runs and is ready unless a change says otherwise.
func (c *cluster) pod(set *appsv1.ReplicaSet, changes ...func(*corev1.Pod)) *corev1.Pod {
	c.made++
	c.now = c.now.Add(time.Second)
	p := &corev1.Pod{Spec: *set.Spec.Template.Spec.DeepCopy()}
	p.Name, p.UID, p.Labels = fmt.Sprintf("%s-%d", set.Name, c.made), types.UID(fmt.Sprintf("p%d", c.made)), set.Labels
	p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
	p.CreationTimestamp = metav1.NewTime(c.now)
	p.Spec.NodeName = "node"
	p.Status.Phase, p.Status.PodIP, p.Status.HostIP = corev1.PodRunning, fmt.Sprintf("10.0.0.%d", c.made), "192.0.2.1"
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: containerName, Image: p.Spec.Containers[0].Image, ImageID: "registry.example.org/web@sha256:abc", Ready: true, Started: ptr(true),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.now)}},
	}}
	for _, change := range changes {
		change(p)
	}
	c.Pods = append(c.Pods, p)
	return p
}

// available says what the controller says of a Deployment that is complete.
func (c *cluster) available() {
	n := *c.Deployment.Spec.Replicas
	c.now = c.now.Add(time.Second)
	c.Deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: c.Deployment.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
		Conditions: []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable", LastUpdateTime: metav1.NewTime(c.now),
		}},
	}
}

// rolling says what the controller says while it rolls.
func (c *cluster) rolling(updated, available int32) {
	c.Deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: c.Deployment.Generation, Replicas: *c.Deployment.Spec.Replicas + updated, UpdatedReplicas: updated, AvailableReplicas: available,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "ReplicaSetUpdated"}},
	}
}

// stuck says that the controller sees no progress.
func (c *cluster) stuck() {
	c.Deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}}
}

// up brings a workload up, with all its pods, and holds that it is ready.
func (c *cluster) up(w backends.Workload) *appsv1.ReplicaSet {
	c.Helper()
	c.apply(w)
	set := c.control()
	c.Pods = nil
	for range w.Replicas {
		c.pod(set)
	}
	c.available()
	c.expect(w, backends.PhaseReady, "")
	return set
}

// expect holds that nothing is to be applied, and where the deployment stands.
func (c *cluster) expect(w backends.Workload, phase backends.Phase, reason string) decision {
	c.Helper()
	d := c.decide(w)
	if d.Apply != nil || d.Progress.Phase != phase || d.Progress.Reason != reason {
		c.Fatalf("applies %t (%s); %s: %q\nwant %s: %q", d.Apply != nil, d.Why, d.Progress.Phase, d.Progress.Reason, phase, reason)
	}
	return d
}

// The ways in which a pod does not serve.

func waiting(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodPending
		c := &p.Status.ContainerStatuses[0]
		c.Ready, c.Started, c.State = false, ptr(false), corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
}

func ended(restarts int32, end corev1.ContainerStateTerminated) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		c := &p.Status.ContainerStatuses[0]
		c.Ready, c.Started, c.RestartCount = false, ptr(false), restarts
		c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 40s restarting failed container"}}
		end.StartedAt = p.CreationTimestamp
		c.LastTerminationState = corev1.ContainerState{Terminated: &end}
	}
}

func homeless(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.NodeName, p.Status = "", corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message},
		}}
	}
}

func deleted(p *corev1.Pod) { p.DeletionTimestamp = &p.CreationTimestamp }

// sick is a pod whose probe fails; since tells since when, relative to its start.
func sick(started bool, since time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		c := &p.Status.ContainerStatuses[0]
		c.Ready, c.Started = false, &started
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.ContainersReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(c.State.Running.StartedAt.Add(since)),
		}}
	}
}

const (
	noSuchHost = `failed to pull and unpack image "registry.example.org/web:1.2.0": failed to resolve reference "registry.example.org/web:1.2.0": failed to do request: dial tcp: no such host`
	noSuchFile = `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/nope": stat /nope: no such file or directory: unknown`
	noRoom     = "0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)

func TestStates(t *testing.T) {
	healthy := workload(served)
	for _, test := range []struct {
		name     string
		workload backends.Workload
		change   func(*corev1.Pod)
		state    backends.PodState
		health   backends.Health
		reason   string
		exitCode int
	}{
		{name: "runs", workload: workload(), change: func(*corev1.Pod) {}, state: backends.PodRunning},
		{name: "healthy", workload: healthy, change: func(*corev1.Pod) {}, state: backends.PodRunning, health: backends.HealthHealthy},
		{name: "starting", workload: healthy, change: sick(false, -time.Second), state: backends.PodRunning, health: backends.HealthStarting},
		{name: "started, not asked yet", workload: healthy, change: sick(true, -time.Second), state: backends.PodRunning, health: backends.HealthStarting},
		{name: "unhealthy", workload: healthy, change: sick(true, time.Minute), state: backends.PodRunning, health: backends.HealthUnhealthy},
		{name: "going", workload: workload(), change: deleted, state: backends.PodGoing},
		{name: "no node yet", workload: workload(), change: func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }, state: backends.PodCreated},
		{name: "no node fits", workload: workload(), change: homeless(noRoom), state: backends.PodCreated,
			reason: "no node fits: 0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu"},
		{name: "being made", workload: workload(), change: waiting("ContainerCreating", ""), state: backends.PodCreated},
		{name: "no image", workload: workload(), change: waiting("ErrImagePull", noSuchHost), state: backends.PodCreated,
			reason: "the image registry.example.org/web:1.2.0 cannot be pulled: failed to do request: dial tcp: no such host"},
		{name: "no image, again", workload: workload(), change: waiting("ImagePullBackOff", `Back-off pulling image "registry.example.org/web:1.2.0": ErrImagePull: `+noSuchHost),
			state: backends.PodCreated, reason: "the image registry.example.org/web:1.2.0 cannot be pulled: failed to do request: dial tcp: no such host"},
		{name: "no image, unexplained", workload: workload(), change: waiting("InvalidImageName", ""), state: backends.PodCreated,
			reason: "the image registry.example.org/web:1.2.0 cannot be pulled: InvalidImageName"},
		{name: "no configuration", workload: workload(), change: waiting("CreateContainerConfigError", `configmap "none" not found`), state: backends.PodCreated,
			reason: `it cannot be started: configmap "none" not found`},
		{name: "no such command", workload: workload(), change: waiting("RunContainerError", noSuchFile), state: backends.PodCreated,
			reason: `it cannot be started: exec: "/nope": stat /nope: no such file or directory`},
		{name: "no such command, again", workload: workload(), change: ended(2, corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: noSuchFile}),
			state: backends.PodRestarting, reason: `it cannot be started: exec: "/nope": stat /nope: no such file or directory`, exitCode: 128},
		{name: "crashed", workload: workload(), change: ended(0, corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "password=hunter2"}),
			state: backends.PodRestarting, reason: "crashing, it ended with exit code 1", exitCode: 1},
		{name: "crashes", workload: workload(), change: ended(3, corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}),
			state: backends.PodRestarting, reason: "crashing, it ended with exit code 1 (4 times)", exitCode: 1},
		{name: "ends with success", workload: workload(), change: ended(1, corev1.ContainerStateTerminated{Reason: "Completed"}),
			state: backends.PodRestarting, reason: "crashing, it ended with exit code 0 (2 times)"},
		{name: "too much memory", workload: workload(), change: ended(1, corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}),
			state: backends.PodRestarting, reason: "crashing, it was killed for using more memory than it may (2 times)", exitCode: 137},
		{name: "too much memory, and runs again", workload: workload(), change: func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
		}, state: backends.PodRunning, reason: "it was killed for using more memory than it may, and started again", exitCode: 137},
		{name: "ended by a signal", workload: workload(), change: ended(0, corev1.ContainerStateTerminated{Signal: 11}),
			state: backends.PodRestarting, reason: "crashing, it was ended by signal 11"},
	} {
		c := newCluster(t)
		c.apply(test.workload)
		c.pod(c.control(), test.change)
		p := c.s.pod(c.Pods[0], c.ReplicaSets[0])
		if p.State != test.state || p.Health != test.health || p.Reason != test.reason || p.ExitCode != test.exitCode {
			t.Errorf("%s: %s %s, %q, exit code %d\nwant %s %s, %q, %d", test.name, p.State, p.Health, p.Reason, p.ExitCode,
				test.state, test.health, test.reason, test.exitCode)
		}
	}
}

// What a pod remembers comes back as it was.
func TestPodsTellAll(t *testing.T) {
	w := workload(served, func(w *backends.Workload) {
		w.App, w.Release, w.Flavour = "org.example."+long(80), "1.2.3-rc.1+"+long(80), "CUDA 11.2 @ größe"
		w.Source, w.Rollout.MinReady, w.Pod.Restart = "teams/image analysis/web@lab.yaml", 300*time.Millisecond, schema.RestartAlways
		w.Pod.GPUs, w.Pod.GPUVendor, w.Replicas = 2, schema.AMD, 1
	})
	c := newCluster(t)
	set := c.up(w)
	want := backends.Pod{
		Backend: "cluster", ID: "p1", Name: set.Name + "-1", Deployment: w.Deployment, App: w.App, Release: w.Release, Flavour: w.Flavour,
		Source: w.Source, Commit: w.Commit, SpecHash: w.SpecHash(), InputHash: w.InputHash(), MinReady: w.Rollout.MinReady,
		Restart: w.Pod.Restart, Image: w.Pod.Image, Digest: "sha256:abc", CPU: w.Pod.CPU, Memory: w.Pod.Memory,
		GPUs: []string{"node/amd-0", "node/amd-1"}, State: backends.PodRunning, Health: backends.HealthHealthy,
		Endpoints: []backends.Endpoint{
			{Host: "10.0.0.1", Port: 8080, Container: 8080, Protocol: schema.TCP}, {Host: "10.0.0.1", Port: 9090, Container: 9090, Protocol: schema.TCP},
			{Host: "10.0.0.1", Port: 5353, Container: 5353, Protocol: schema.UDP},
		},
		CreatedAt: noon.Add(time.Second), StartedAt: noon.Add(time.Second),
	}
	if diff := cmp.Diff([]backends.Pod{want}, c.s.pods(c.observation)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEndpointOnTheNode(t *testing.T) {
	for address, want := range map[string]string{"": "192.0.2.1", "cluster.example.org": "cluster.example.org"} {
		for _, port := range []uint16{8080, 30080} { // the pod's own, and one that its Service takes on every node
			w := workload(func(w *backends.Workload) {
				w.Pod.Ports = []schema.Port{{Host: port, Container: 80, Protocol: schema.TCP}}
			})
			c := newCluster(t)
			c.s.cfg.Address = address
			c.up(w)
			c.Services = []*corev1.Service{c.s.service(w)}
			e := c.s.pods(c.observation)[0].Endpoints
			if diff := cmp.Diff([]backends.Endpoint{{Host: want, Port: port, Container: 80, Protocol: schema.TCP}}, e); diff != "" {
				t.Error(diff)
			}
		}
	}
}

// Pods are counted by age, in each release; what is going and what ended for good
// counts no more.
func TestOrdinals(t *testing.T) {
	c := newCluster(t)
	w := workload(func(w *backends.Workload) { w.Replicas = 3 })
	c.up(w)
	c.Pods[0].DeletionTimestamp = &c.Pods[0].CreationTimestamp
	c.Pods[1].Status.Phase, c.Pods[1].Status.Reason = corev1.PodFailed, "Evicted"
	c.pod(c.ReplicaSets[0])
	next := w
	release("2.0.0")(&next)
	c.apply(next)
	c.pod(c.control())
	got := map[string]string{}
	for _, p := range c.s.pods(c.observation) {
		got[p.ID] = fmt.Sprintf("%s %d %s", p.Release, p.Ordinal, p.State)
	}
	want := map[string]string{"p1": "1.2.0 0 going", "p3": "1.2.0 0 running", "p4": "1.2.0 1 running", "p5": "2.0.0 0 running"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A Deployment without pods stands for them.
func TestAbsent(t *testing.T) {
	c := newCluster(t)
	if pods := c.s.pods(c.observation); len(pods) > 0 {
		t.Fatalf("%+v", pods)
	}
	w := workload(func(w *backends.Workload) { w.Replicas = 0 })
	c.up(w)
	pods := c.s.pods(c.observation)
	if len(pods) != 1 || pods[0].State != backends.PodAbsent || pods[0].ID != "d1" || pods[0].SpecHash != w.SpecHash() ||
		pods[0].Release != "1.2.0" || pods[0].Image != w.Pod.Image || pods[0].Backend != "cluster" {
		t.Errorf("%+v", pods)
	}
	c.pod(c.ReplicaSets[0], deleted)
	if pods := c.s.pods(c.observation); len(pods) != 2 || pods[0].State == pods[1].State {
		t.Errorf("with one that is going: %+v", pods)
	}
	c.pod(c.ReplicaSets[0])
	for _, p := range c.s.pods(c.observation) {
		if p.State == backends.PodAbsent {
			t.Errorf("absent, and there: %+v", p)
		}
	}
	// Its Deployment was deleted, its pods are left.
	c.Deployment = nil
	if pods := c.s.pods(c.observation); len(pods) != 2 || pods[0].Deployment != "web" || pods[0].SpecHash != w.SpecHash() {
		t.Errorf("without a Deployment: %+v", pods)
	}
	c.ReplicaSets = nil
	if pods := c.s.pods(c.observation); len(pods) != 2 || pods[0].Deployment != "web" || pods[0].SpecHash != "" {
		t.Errorf("without a ReplicaSet: %+v", pods)
	}
}

// A proxy that others put beside the app is not taken for it.
func TestSidecar(t *testing.T) {
	c := newCluster(t)
	c.up(workload())
	p := c.Pods[0]
	p.Status.ContainerStatuses = append([]corev1.ContainerStatus{{Name: "proxy", RestartCount: 7, State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"},
	}}}, p.Status.ContainerStatuses...)
	if got := c.s.pods(c.observation)[0]; got.State != backends.PodRunning || got.Restarts != 0 {
		t.Errorf("%+v", got)
	}
}
