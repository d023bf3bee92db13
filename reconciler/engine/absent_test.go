package engine

import (
	"testing"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/sorted"
)

// An object that stands for a deployment without pods is known to the planner,
// and is no pod to anybody else.
func TestObjectsAreNoPods(t *testing.T) {
	e := &Engine{world: newWorld(nil), statuses: map[string]*status{"idle": {Status: Status{Deployment: "idle", State: StateReady}}}}
	object := backends.Pod{Backend: "cluster", ID: "d1", Deployment: "idle", State: backends.PodAbsent, SpecHash: "1:a"}
	pod := backends.Pod{Backend: "lab", ID: "p1", Deployment: "idle", State: backends.PodRunning}
	stray := object
	stray.Deployment = "stray"
	e.world.replace("cluster", "idle", []backends.Pod{object})
	e.world.replace("lab", "idle", []backends.Pod{pod})
	e.world.replace("cluster", "stray", []backends.Pod{stray})
	v := &View{rows: sorted.Map[Status]{}.With(map[string]*Status{"idle": e.row("idle"), "stray": e.row("stray"), "gone": e.row("gone")})}

	if s, ok := v.Status("idle"); !ok || len(s.Pods) != 1 || s.Pods[0].ID != "p1" {
		t.Errorf("idle has pods %+v", s.Pods)
	}
	if pods := v.Pods(); len(pods) != 1 || len(pods["idle"]) != 1 || len(v.PodsOf("stray")) != 0 {
		t.Errorf("pods %+v", pods)
	}
	if seen := v.observed(); len(seen) != 2 || len(seen["idle"]) != 2 || len(seen["stray"]) != 1 {
		t.Errorf("observed %+v", seen)
	}
	if len(e.world.pods["idle"]) != 2 || len(v.Pods()["idle"]) != 1 {
		t.Error("a list was changed in place")
	}
}

// What such an object stands for may change, and then it is planned anew.
func TestObjectsChange(t *testing.T) {
	w := newWorld([]Backend{})
	object := backends.Pod{Backend: "cluster", ID: "d1", State: backends.PodAbsent, SpecHash: "1:a", InputHash: "1:a"}
	if !w.replace("cluster", "idle", []backends.Pod{object}) || w.replace("cluster", "idle", []backends.Pod{object}) {
		t.Error("the same is taken for a change, or a change for none")
	}
	object.SpecHash = "1:b"
	if !w.replace("cluster", "idle", []backends.Pod{object}) {
		t.Error("another specification is no change")
	}
	object.InputHash = "1:b"
	if !w.replace("cluster", "idle", []backends.Pod{object}) {
		t.Error("another input is no change")
	}
}

// A deployment that moves to a cluster without replicas has arrived when its
// object stands there.
func TestObjectsArrive(t *testing.T) {
	e := &Engine{world: newWorld(nil)}
	w := backends.Workload{Deployment: "idle", Pod: backends.PodSpec{Image: "app:1", Restart: schema.RestartUnlessStopped}}
	e.world.pods["idle"] = []backends.Pod{
		{Backend: "cluster", State: backends.PodAbsent, SpecHash: w.SpecHash()},
		{Backend: "cluster", State: backends.PodGoing, SpecHash: "1:old"},
	}
	d := decisionFor(w, "cluster")
	if !e.arrived(d) {
		t.Error("it has not arrived")
	}
	w.Replicas = 1
	if d := decisionFor(w, "cluster"); e.arrived(d) {
		t.Error("it has arrived without its pod")
	}
}

func decisionFor(w backends.Workload, backend string) planner.Decision {
	return planner.Decision{Deployment: w.Deployment, Backend: backend, Workload: &w}
}
