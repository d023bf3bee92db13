// Package backends is where pods run. This package holds the contract that
// every engine fulfils: a [Backend] observes the pods of one instance and takes
// the steps that bring a deployment's pods to its [Workload]. The packages
// below it:
//
//   - docker: a Docker Engine
//   - kubernetes: a Kubernetes cluster
//   - memory: an engine in memory, for tests
//   - rollout: which step comes next, for engines that know only containers; pure
//   - backendtest: the conformance suite that every backend passes
package backends

import (
	"context"
	"time"

	"github.com/berthdev/berth/schema"
)

// A Backend is one container engine, seen by one instance of Berth. It sees and
// touches only objects that carry the instance's label.
//
// Errors are [schema.Error]s: transient (the engine is away, a timeout), waiting
// (an event will tell), invalid (the workload can never run as it is declared)
// or terminal (a person must act on the engine).
//
// Every method returns soon after its context ends; what was begun is then left
// in a state that the next Apply understands. All methods are safe for
// concurrent use; Apply and Remove run one at a time for each deployment, which
// the caller sees to.
type Backend interface {
	// Name is the backend's name in the configuration.
	Name() string

	// Capacity tells what the backend offers in total, configuration over engine.
	Capacity(ctx context.Context) (Capacity, error)

	// Pods lists all pods of the instance, failed ones that are kept included.
	Pods(ctx context.Context) ([]Pod, error)

	// Watch calls notify for every change to a pod of the instance, until ctx ends
	// or the stream breaks; it returns why. It calls notify with a zero Event as
	// soon as the stream stands: what happened before must be listed. notify must
	// not block.
	Watch(ctx context.Context, notify func(Event)) error

	// Apply takes every step that can be taken now towards w, and tells where it
	// stands. It is idempotent and makes no write when nothing is to do. It may
	// take as long as an image pull, but does not wait for a pod to become ready:
	// it is called again when one of the deployment's pods changes, and at
	// Progress.Again. report, if not nil, is told of steps as they are taken, of a
	// pull, a stop or a removal also before: work that waits for these gives way to
	// other work. At their end report may block, so nothing is locked then that
	// other work needs.
	Apply(ctx context.Context, w Workload, report func(Step)) (Progress, error)

	// Remove removes the deployment's pods, and its volumes that are not to be kept.
	Remove(ctx context.Context, deployment string, report func(Step)) error

	// Forget removes the failed pods of a deployment, which are the memory of a
	// rollout that was given up: the next Apply tries it again. It is run as Apply
	// is, one at a time for each deployment.
	Forget(ctx context.Context, deployment string, report func(Step)) error

	// Logs calls each for every line of a pod's log, the oldest first, also of a pod
	// that ended. With o.Follow it goes on until the pod ends for good or is
	// removed. Of a failed pod the last lines are told also where the engine keeps
	// none of it, as long as the process runs that gave it up. An error of each ends it and is returned. That there is no such pod
	// is an error of kind invalid.
	Logs(ctx context.Context, pod string, o LogOptions, each func(LogLine) error) error

	// Usage tells what the running pods of the instance use now. It may take a
	// second or two: use of CPU is told over a time.
	Usage(ctx context.Context) ([]Usage, error)

	// Owned lists every object that the instance has made and that still exists.
	Owned(ctx context.Context) ([]Object, error)

	// Uninstall removes every object that Owned lists, volumes only if asked to.
	Uninstall(ctx context.Context, volumes bool, report func(Step)) error

	// Close releases connections. Pods run on.
	Close() error
}

// ImagePruner is what a backend can do besides, when it can.
type ImagePruner interface {
	// PruneImages removes images that Berth pulled for this instance, that no
	// container uses and that keep does not name. It does nothing unless configured.
	PruneImages(ctx context.Context, keep func(image string) bool) error
}

// Capacity is what a backend offers in total.
type Capacity struct {
	CPU    schema.CPU
	Memory schema.Bytes
	// KeptCPU and KeptMemory are how much of them is on hosts that are kept for pods
	// with GPUs: no other pod may use it.
	KeptCPU    schema.CPU
	KeptMemory schema.Bytes

	Arch   string // as Go names it: amd64, arm64
	OS     string // linux
	GPUs   []GPU
	Labels map[string]string
	// HostLabels are labels that only some of the backend's hosts have, or with
	// different values: each value that one has, sorted.
	HostLabels map[string][]string
	Services   []string          // nil: not told
	Resources  map[string]string // nil: not told
	// OneHost tells that all pods share the ports of one host.
	OneHost bool
	// Orchestrates tells that the engine itself keeps a deployment's pods: an object
	// of its own stands for the deployment, also without pods (see PodAbsent), it
	// chooses hosts (see PodSpec.Needs), and starts again whatever ends.
	Orchestrates bool
	Allow        schema.Allow
	Engine       string // for people: "Docker 28.2, API 1.50"
}

// A GPU is one GPU of a backend, given to one pod at a time. Empty fields are
// not known.
type GPU struct {
	ID           string
	Vendor       schema.GPUVendor
	Version      string // CUDA, ROCm or oneAPI version of the driver
	Capability   string
	Architecture string
	Cores        int
	Frequency    int // MHz
	Memory       schema.Bytes
}

// A Workload is all that a backend must know to run a deployment: the release
// and flavour that the planner chose, with what the deployment overrides merged.
type Workload struct {
	Deployment string
	App        string
	Release    string // version
	Flavour    string
	Backend    string
	User       string // on whose behalf
	Scopes     []string
	Source     string // the file that declares it
	Commit     string // the commit that made it so
	Replicas   int
	Rollout    Rollout
	Pod        PodSpec
}

// PodSpec is what a pod is made of; its hash tells whether a pod is current.
// Fields that are not set are left out of the hash, so that a new field changes
// no pod that does not use it.
type PodSpec struct {
	Image           string               `json:"image"`
	Command         []string             `json:"command,omitempty"`
	Args            []string             `json:"args,omitempty"`
	Env             map[string]string    `json:"env,omitempty"` // BERTH_* included
	Ports           []schema.Port        `json:"ports,omitempty"`
	Volumes         []schema.Volume      `json:"volumes,omitempty"`
	Workdir         string               `json:"workdir,omitempty"`
	User            string               `json:"user,omitempty"` // the container's
	CPU             schema.CPU           `json:"cpu,omitempty"`
	Memory          schema.Bytes         `json:"memory,omitempty"`
	GPUs            int                  `json:"gpus,omitempty"`
	GPUVendor       schema.GPUVendor     `json:"gpuVendor,omitempty"` // empty: any
	Healthcheck     *schema.Healthcheck  `json:"healthcheck,omitempty"`
	StopGracePeriod time.Duration        `json:"stopGracePeriod,omitempty"`
	Restart         schema.RestartPolicy `json:"restart,omitempty"`
	Pull            schema.PullPolicy    `json:"pull,omitempty"`
	Capabilities    *schema.Capabilities `json:"capabilities,omitempty"`
	Privileged      bool                 `json:"privileged,omitempty"`
	Network         string               `json:"network,omitempty"`
	// Needs are the required selectors of the flavour, by which an engine that
	// orchestrates chooses among its hosts. On others it is nil.
	Needs []schema.Selector `json:"needs,omitempty"`
}

// Rollout says how pods are replaced, every default filled in.
type Rollout struct {
	Strategy schema.Strategy `json:"strategy"`
	Timeout  time.Duration   `json:"timeout"`
	MinReady time.Duration   `json:"minReady"`
	Rollback bool            `json:"rollback"`
}

// PodState is where a pod's container stands.
type PodState string

// The states of pods.
const (
	PodCreated    PodState = "created" // made, not started
	PodRunning    PodState = "running"
	PodRestarting PodState = "restarting" // ended; the engine starts it again by itself
	PodExited     PodState = "exited"     // ended or stopped; the engine leaves it so
	PodPaused     PodState = "paused"
	PodFailed     PodState = "failed" // given up by a rollout, kept as evidence and memory
	PodGoing      PodState = "going"  // being removed
	// PodAbsent: there is no pod, but the object that stands for the deployment on
	// an engine that orchestrates: it remembers what pods would be made of. It is
	// told so that Berth sees what it made; it is never counted as a pod. Without a
	// SpecHash it stands for what is left of a deployment that has no such object: see
	// Leftover.
	PodAbsent PodState = "absent"
)

// Health is what the engine's health check says.
type Health string

// The healths.
const (
	HealthNone      Health = "" // no health check
	HealthStarting  Health = "starting"
	HealthHealthy   Health = "healthy"
	HealthUnhealthy Health = "unhealthy"
)

// A Pod is one running, or once running, instance of a deployment, as its
// backend sees it. What is not the engine's own knowledge was written on the
// pod when it was made.
type Pod struct {
	Backend    string
	ID         string // the engine's
	Name       string
	Deployment string
	Ordinal    int // 0 to replicas-1
	App        string
	Release    string
	Flavour    string
	Source     string // the file that declared it
	Commit     string // the commit that made it
	SpecHash   string // of its PodSpec, as Hash gives it
	InputHash  string // of its PodSpec and rollout: what a failed rollout remembers
	MinReady   time.Duration
	Restart    schema.RestartPolicy // when the engine starts it again; empty: unless-stopped
	Image      string               // as written
	Digest     string               // what the image resolved to; empty when the engine does not tell
	CPU        schema.CPU
	Memory     schema.Bytes
	GPUs       []string // IDs of the GPUs that it holds
	State      PodState
	Health     Health
	ExitCode   int
	Restarts   int    // by the engine itself, since it was last started from outside
	Reason     string // why it is not running or not well, in words
	Trouble    string // why it could not be started when that was tried last, though another time it may be; only of one that was made
	Endpoints  []Endpoint
	CreatedAt  time.Time
	StartedAt  time.Time // of the last start; zero if never
}

// Ready tells whether the pod is ready at now: running, healthy if it has a
// health check, for minReady. If it is not but may become so by time alone, at
// is when.
//
// Each restart by the engine doubles that time, up to [mostDoubt]: a pod that runs
// for a little longer than minReady before it crashes again is not ready each time.
func (p Pod) Ready(now time.Time) (ready bool, at time.Time) {
	if p.State != PodRunning || (p.Health != HealthNone && p.Health != HealthHealthy) {
		return false, time.Time{}
	}
	at = p.StartedAt.Add(p.doubted())
	if now.Before(at) {
		return false, at
	}
	return true, time.Time{}
}

// Complete tells whether the pod ended with success and is to stay so. One that was
// stopped for another pod may seem to be.
func (p Pod) Complete() bool {
	return p.State == PodExited && p.ExitCode == 0 && (p.Restart == schema.RestartNo || p.Restart == schema.RestartOnFailure)
}

// Leftover tells whether the pod is none, but stands for objects that are left of a
// deployment, such as its Service: if it is declared no more, they are to be removed.
func (p Pod) Leftover() bool { return p.State == PodAbsent && p.SpecHash == "" }

// mostDoubt is how long a pod must run at most to be ready for the restarts that
// it has behind it. It is the longest that a Docker Engine waits between two.
const mostDoubt = time.Minute

// doubted returns how long the pod must run since its last start to be ready.
func (p Pod) doubted() time.Duration {
	wait := p.MinReady
	for range p.Restarts {
		if wait >= mostDoubt || wait == 0 {
			break
		}
		wait = min(2*wait, mostDoubt)
	}
	return wait
}

// An Endpoint is where a pod answers.
type Endpoint struct {
	Host      string
	Port      uint16
	Container uint16
	Protocol  schema.Protocol
}

// An Event says that a pod changed. A zero Deployment means that any may have.
type Event struct {
	Deployment string
	Pod        string // its name; may be empty
	What       string // for people: "container died with exit code 137"
	// Worse tells that the deployment is worse off: its pod ended, was removed or
	// paused, lost its network, or is not healthy.
	Worse bool
	// Ours tells that the change follows from Berth's own act.
	Ours bool
}

// Phase is where a deployment stands on its backend.
type Phase string

// The phases.
const (
	PhaseReady       Phase = "ready"       // every replica is ready, and what else is there is going
	PhaseProgressing Phase = "progressing" // on its way; an event or Again tells more
	PhaseFailed      Phase = "failed"      // the rollout was given up; not tried again until the input changes
)

// Progress is what Apply brought about.
type Progress struct {
	Phase  Phase
	Reason string    // in words, for PhaseProgressing and PhaseFailed
	Again  time.Time // when Apply must be called again without an event; zero: never
	Pods   []Pod     // the deployment's pods after the steps
}

// A Step is something that a backend does, told as it happens.
type Step struct {
	Deployment string
	Pod        string
	Verb       string // pull, create, start, stop, remove, rename
	Detail     string // in words: "ghcr.io/x/y:1.2, 40% of 120 MB"
	Done       bool   // false: begins or goes on
}

// An Object is something that an instance made on a backend.
type Object struct {
	Kind       string // container, network, volume, image
	Name       string
	Deployment string // empty when it belongs to the instance
}
