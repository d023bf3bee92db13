package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// handlers are the ways in which a probe asks, or a hook runs.
var handlers = []string{"exec", "httpGet", "tcpSocket", "grpc", "sleep"}

// unions are the fields that must not be there where they are not wanted, by what
// holds them: they stand for, or belong to, another choice than Berth's. Of a volume
// that is all but its name.
var unions = map[string][]string{
	"env":            {"value", "valueFrom"},
	"startupProbe":   handlers,
	"readinessProbe": handlers,
	"preStop":        handlers,
	"strategy":       {"rollingUpdate"},
	"seccompProfile": {"localhostProfile"},
}

// beside returns a field that is there, and cannot be beside what is wanted; empty:
// there is none. The name is that of the field, or of the list, that holds both.
func beside(name string, want, have map[string]any) string {
	fields := unions[name]
	switch name {
	case "volumes":
		fields = slices.Sorted(maps.Keys(have))
	case "resources":
		return besideAmounts(want, have)
	}
	for _, key := range fields {
		if have[key] != nil && want[key] == nil && key != "name" {
			return key
		}
	}
	return ""
}

// besideAmounts is beside for what a container may use and what is set aside for it,
// where Berth says only one of the two: no more can be set aside than may be used, and
// of GPUs just that.
func besideAmounts(want, have map[string]any) string {
	for _, pair := range [][2]string{{"limits", "requests"}, {"requests", "limits"}} {
		wanted, _ := want[pair[0]].(map[string]any)
		also, _ := want[pair[1]].(map[string]any)
		there, _ := have[pair[1]].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(wanted)) {
			if there[key] == nil || also[key] != nil {
				continue
			}
			amount, otherwise := parsed(wanted[key]), parsed(there[key])
			more := amount.Cmp(otherwise)
			if pair[0] == "limits" && more != 0 || pair[0] == "requests" && more > 0 {
				return join(pair[1], key)
			}
		}
	}
	return ""
}

func parsed(v any) resource.Quantity {
	q, _ := resource.ParseQuantity(fmt.Sprint(v)) // what is none is as good as nothing
	return q
}

// A change is one of a JSON patch.
type change struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// clashes returns how a live object must be changed before what is wanted can be
// applied: server-side apply leaves what others have set, also where the two together
// are invalid.
func clashes(path, name string, want, have any) []change {
	var all []change
	switch w := want.(type) {
	case map[string]any:
		h, _ := have.(map[string]any)
		if beside(name, w, h) != "" {
			return []change{{"replace", path, w}}
		}
		for _, key := range slices.Sorted(maps.Keys(w)) {
			all = append(all, clashes(path+"/"+pointer.Replace(key), key, w[key], h[key])...)
		}
	case []any:
		h, _ := have.([]any)
		keys, keyed := listKeys[name]
		for _, item := range w {
			entry, ok := item.(map[string]any)
			if !keyed || !ok {
				break
			}
			if at := find(keys, entry, h); at >= 0 {
				all = append(all, clashes(fmt.Sprintf("%s/%d", path, at), name, entry, h[at])...)
			}
		}
	}
	return all
}

// pointer escapes a key for a JSON pointer.
var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// separate changes a live object so that what is wanted can be applied.
func (a *writer) separate(ctx context.Context, k *kind, wanted map[string]any, live object) error {
	have, err := fieldsOf(live)
	if err != nil {
		return err
	}
	all := clashes("", "", wanted, have)
	if len(all) == 0 {
		return nil
	}
	all = append(all, change{"replace", "/metadata/resourceVersion", live.GetResourceVersion()}) // as it was seen
	now, err := a.edit(ctx, k, live, all)
	if err != nil {
		return err
	}
	return a.disown(ctx, k, now)
}

// disown drops what Berth owns for having edited it: it would own that besides what
// it applies, and stay so when it is applied no more.
func (a *writer) disown(ctx context.Context, k *kind, o object) (err error) {
	const tries = 5 // others change it too
	for range tries {
		at := slices.IndexFunc(o.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
			return m.Manager == FieldManager && m.Operation == metav1.ManagedFieldsOperationUpdate && m.Subresource == ""
		})
		if at < 0 {
			return nil
		}
		path := fmt.Sprintf("/metadata/managedFields/%d", at)
		_, err = a.edit(ctx, k, o, []change{
			{"test", path + "/manager", FieldManager},
			{"test", path + "/operation", metav1.ManagedFieldsOperationUpdate},
			{Op: "remove", Path: path},
		})
		if err == nil || !apierrors.IsInvalid(err) && !apierrors.IsConflict(err) {
			return err
		}
		if o, err = a.edit(ctx, k, o, []change{}); err != nil { // as it is now
			return err
		}
	}
	return err
}

// edit changes an object by a JSON patch.
func (a *writer) edit(ctx context.Context, k *kind, o object, changes []change) (object, error) {
	data, err := json.Marshal(changes)
	if err != nil {
		return nil, err
	}
	end := a.s.begin(ref{k, o.GetNamespace(), o.GetName(), a.deployment})
	now, err := a.api.edit(ctx, k, o.GetNamespace(), o.GetName(), data)
	if err != nil {
		end(nil)
		return nil, err
	}
	end(now)
	return now, nil
}
