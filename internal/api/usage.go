package api

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/backends"
)

// usageLimit is how long backends are waited for.
const usageLimit = 5 * time.Second

// usageReport resolves UsageReport.
type usageReport struct {
	Time     graphql.Time
	Pods     []podUsage
	Problems []usageProblem
}

// usageProblem resolves UsageProblem.
type usageProblem struct{ Backend, Message string }

// podUsage resolves PodUsage.
type podUsage struct {
	w       *world
	backend string
	u       backends.Usage
	p       *backends.Pod // nil: not observed yet
}

func (u podUsage) PodName() string        { return u.u.Pod }
func (u podUsage) BackendName() string    { return u.backend }
func (u podUsage) DeploymentName() string { return u.u.Deployment }
func (u podUsage) CPU() float64           { return cpus(u.u.CPU) }
func (u podUsage) Memory() byteCount      { return byteCount(u.u.Memory) }

func (u podUsage) Pod() *pod {
	if u.p == nil {
		return nil
	}
	return one(u.w, pod{u.w, u.p})
}

func (u podUsage) CPULimit() *float64 {
	if u.p == nil {
		return nil
	}
	return orNone(u.p.CPU, cpus)
}

func (u podUsage) MemoryLimit() *byteCount {
	if u.p == nil {
		return nil
	}
	return orNone(u.p.Memory, toBytes)
}

// usage returns what the pods of a deployment, of a backend or of all use. The
// backends are asked once for a query, however often it asks.
func (w *world) usage(deployment, backend *string) (*usageReport, error) {
	if deployment != nil {
		if _, ok := w.view.Status(*deployment); !ok {
			return nil, missing("deployment", *deployment, w.deploymentNames())
		}
	}
	if backend != nil && !slices.ContainsFunc(w.api.o.Backends, func(b backends.Backend) bool { return b.Name() == *backend }) {
		return nil, missing("backend", *backend, w.backendNames())
	}
	all := w.use.get(w.askUsage)
	out := &usageReport{Time: all.Time, Pods: []podUsage{}, Problems: []usageProblem{}}
	for _, u := range all.Pods {
		if (deployment == nil || u.u.Deployment == *deployment) && (backend == nil || u.backend == *backend) {
			out.Pods = append(out.Pods, u)
		}
	}
	for _, p := range all.Problems {
		if backend == nil || p.Backend == *backend {
			out.Problems = append(out.Problems, p)
		}
	}
	return out, w.meter.spend(len(all.Pods))
}

// askUsage asks all backends at once. Meanwhile another query may have the turn.
func (w *world) askUsage() *usageReport {
	<-w.api.turns
	defer func() { w.api.turns <- struct{}{} }()
	ctx, cancel := context.WithTimeout(w.meter.ctx, usageLimit)
	defer cancel()
	out := &usageReport{}
	var mu sync.Mutex
	var asked sync.WaitGroup
	known := map[[2]string]*backends.Pod{}
	for _, p := range w.index.allPods() {
		known[[2]string{p.Backend, p.Name}] = p
	}
	for _, b := range w.api.o.Backends {
		asked.Go(func() {
			used, err := b.Usage(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.Problems = append(out.Problems, usageProblem{b.Name(), asError(err).Message})
			}
			for _, u := range used {
				out.Pods = append(out.Pods, podUsage{w, b.Name(), u, known[[2]string{b.Name(), u.Pod}]})
			}
		})
	}
	asked.Wait()
	out.Time = moment(time.Now())
	slices.SortFunc(out.Pods, func(a, b podUsage) int {
		return strings.Compare(a.u.Deployment+"\x00"+a.u.Pod+"\x00"+a.backend, b.u.Deployment+"\x00"+b.u.Pod+"\x00"+b.backend)
	})
	slices.SortFunc(out.Problems, func(a, b usageProblem) int { return strings.Compare(a.Backend, b.Backend) })
	return out
}
