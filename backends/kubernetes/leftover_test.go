package kubernetes_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// ownedSoon waits until the instance has just these objects, each as KIND NAME.
func (s *site) ownedSoon(b backends.Backend, want ...string) {
	s.Helper()
	var got []string
	for late := time.Now().Add(limit); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		owned, err := b.Owned(context.Background())
		if err != nil {
			s.Fatal(err)
		}
		got = nil
		for _, o := range owned {
			got = append(got, o.Kind+" "+strings.TrimPrefix(o.Name, s.namespace+"/"))
		}
		if slices.Equal(got, want) {
			return
		}
	}
	s.Fatalf("there is %v, want %v", got, want)
}

// left returns what is told as left of a deployment; nil: nothing is told of it.
func (s *site) left(b backends.Backend) *backends.Pod {
	s.Helper()
	pods, err := b.Pods(context.Background())
	if err != nil || len(pods) > 1 || len(pods) == 1 && !pods[0].Leftover() {
		s.Fatalf("pods: %+v, %v", pods, err)
	}
	if len(pods) == 0 {
		return nil
	}
	return &pods[0]
}

// A removal that is cut off after any of its steps is taken up by the next process:
// nothing is orphaned, and volumes stay that are to be kept.
func TestRemovalIsTakenUp(t *testing.T) {
	gone := false
	for name, cut := range map[string]string{
		"after the Deployment": "remove Deployment", "after the Service": "remove Service", "after all": "",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			w := s.workload("web")
			w.Pod.Volumes = []schema.Volume{{Name: "data", Path: "/data"}, {Name: "scratch", Path: "/scratch", Keep: &gone}}
			s.ready(s.b, w)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := s.b.Remove(ctx, "web", func(step backends.Step) {
				if cut != "" && step.Done && strings.HasPrefix(step.Verb+" "+step.Detail, cut) {
					cancel()
				}
			})
			if cut != "" && !errors.Is(err, context.Canceled) || cut == "" && err != nil {
				t.Fatalf("the removal ended with %v", err)
			}
			b := s.again("lab", schema.BackendConfig{})
			if left := s.left(b); (left != nil) != (cut != "") {
				t.Fatalf("left is %+v", left)
			}
			if cut != "" {
				if err := b.Remove(t.Context(), "web", nil); err != nil {
					t.Fatal(err)
				}
			}
			s.ownedSoon(b, "volume web.data")
			if left := s.left(b); left != nil {
				t.Errorf("still told: %+v", left)
			}
			s.ready(b, w) // it finds its volume again
		})
	}
}

// What was made before the Deployment was refused is told, is no obstacle once it
// can be made, and goes with it.
func TestRefusedDeployment(t *testing.T) {
	s := newSite(t)
	w := s.workload("web")
	w.Replicas = -1
	if _, err := s.b.Apply(t.Context(), w, nil); err == nil {
		t.Fatal("it was not refused")
	}
	s.ownedSoon(s.b, "service web")
	if left := s.left(s.b); left == nil || left.Name != "web" || left.Deployment != "web" {
		t.Fatalf("left is %+v", left)
	}
	s.ready(s.b, s.workload("web"))
	s.ownedSoon(s.b, "deployment web", "service web")
	if pods, err := s.b.Pods(t.Context()); err != nil || len(pods) != 1 || pods[0].Leftover() {
		t.Errorf("pods: %+v, %v", pods, err)
	}
}
