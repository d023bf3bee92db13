package kubernetes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Where somebody makes another choice than Berth's, of what can be chosen once, it is
// put right all the same, and Berth owns no more than it did.
func TestDriftToAnotherChoice(t *testing.T) {
	s := newSite(t)
	w := s.workload("web")
	w.Pod.Env = map[string]string{"EMPTY": "", "MODE": "on"}
	w.Pod.Healthcheck = &schema.Healthcheck{Command: []string{"/app", "healthcheck"}}
	w.Pod.Volumes = []schema.Volume{{Name: "data", Path: "/data"}}
	w.Rollout.Strategy = schema.Recreate
	w.Pod.GPUs, w.Pod.GPUVendor = 1, schema.NVIDIA
	w.Pod.Needs = []schema.Selector{{Kind: schema.SelectCPU, Required: true, Count: 4}}
	s.ready(s.b, w)
	const app, field = "/spec/template/spec/containers/0", `{"fieldRef":{"fieldPath":"metadata.name"}}`
	asks := `{"httpGet":{"path":"/","port":8080}}`
	for _, test := range []struct{ name, path, value, why string }{
		{"another value", app + "/env/0", `{"name":"EMPTY","value":"full"}`, "env[EMPTY].value: it is another value"},
		{"nothing from elsewhere", app + "/env/0", `{"name":"EMPTY","valueFrom":` + field + `}`, "env[EMPTY].valueFrom: it must not be there"},
		{"a value from elsewhere", app + "/env/1", `{"name":"MODE","valueFrom":` + field + `}`, "env[MODE].value: it is missing"},
		{"another volume", "/spec/template/spec/volumes/0", `{"name":"claim-data","emptyDir":{}}`, "persistentVolumeClaim: it is missing"},
		{"another probe", app + "/startupProbe", asks, "startupProbe"},
		{"another hook", app + "/lifecycle/preStop", `{"exec":{"command":["/bin/true"]}}`, "preStop.sleep: it is missing"},
		{
			"other amounts", app + "/resources", `{"limits":{"nvidia.com/gpu":"2","cpu":"1"},"requests":{"nvidia.com/gpu":"2","cpu":"500m"}}`,
			"resources.limits[nvidia.com/gpu]: it is 2",
		},
		{"another strategy", "/spec/strategy", `{"type":"RollingUpdate"}`, "strategy.type: it is RollingUpdate"},
		{
			"another filter", "/spec/template/spec/securityContext/seccompProfile", `{"type":"Localhost","localhostProfile":"theirs.json"}`,
			"seccompProfile.type: it is Localhost",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			patch := fmt.Sprintf(`[{"op":"replace","path":%q,"value":%s}]`, test.path, test.value)
			edited, err := s.Resource("apps", "v1", "deployments").Namespace(s.namespace).
				Patch(t.Context(), "web", types.JSONPatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"})
			if err != nil {
				t.Fatal(err)
			}
			steps := s.putRight(w, edited.GetGeneration())
			if !strings.Contains(steps[0], test.why) {
				t.Errorf("steps %q, want one that tells of %s", steps, test.why)
			}
			s.ready(s.b, w)
			s.quiet(w)
			for _, m := range s.deployment("web").GetManagedFields() {
				if m.Manager == "berth" && m.Operation != metav1.ManagedFieldsOperationApply {
					t.Errorf("Berth owns besides what it applies: %s", m.FieldsV1)
				}
			}
		})
	}
	next := w
	next.Release, next.Pod.Env = "2.0.0", nil
	s.ready(s.b, next)
	if text := fmt.Sprint(s.deployment("web").Object["spec"]); strings.Contains(text, "MODE") || strings.Contains(text, "EMPTY") {
		t.Errorf("variables of the former release are left: %s", text)
	}
}

// putRight applies until something was written over what somebody has edited, and
// returns what was told.
func (s *site) putRight(w backends.Workload, edited int64) []string {
	s.Helper()
	var steps []string
	for late := time.Now().Add(limit); time.Now().Before(late); time.Sleep(20 * time.Millisecond) { // until the edit is seen
		_, err := s.b.Apply(s.Context(), w, func(step backends.Step) {
			if step.Done {
				steps = append(steps, step.Detail)
			}
		})
		if err != nil && schema.KindOf(err) != schema.Transient {
			s.Fatal(err)
		}
		if len(steps) > 0 && s.deployment(w.Deployment).GetGeneration() > edited {
			return steps
		}
	}
	s.Fatal("it is not put right")
	return nil
}
