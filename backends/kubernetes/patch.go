package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// patch returns what is sent by server-side apply for an object: what is set, and
// neither status, nulls nor empty maps, which would claim fields for Berth.
func patch(object runtime.Object) (*unstructured.Unstructured, error) {
	fields, err := fieldsOf(object)
	if err != nil {
		return nil, err
	}
	fields = runtime.DeepCopyJSON(fields)
	delete(fields, "status")
	if meta, ok := fields["metadata"].(map[string]any); ok { // what the server sets
		for _, key := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
			delete(meta, key)
		}
	}
	prune(fields)
	setEmpty(fields)
	return &unstructured.Unstructured{Object: fields}, nil
}

// fieldsOf returns the object's fields as JSON has them. They may be the object's
// own: they are read only.
func fieldsOf(object runtime.Object) (map[string]any, error) {
	if u, ok := object.(*unstructured.Unstructured); ok {
		return u.Object, nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("%T is no plain object: %w", object, err)
	}
	return fields, nil
}

// prune removes nulls and empty maps, at any depth.
func prune(fields map[string]any) {
	for key, value := range fields {
		switch v := value.(type) {
		case nil:
			delete(fields, key)
		case map[string]any:
			if prune(v); len(v) == 0 && !meantEmpty[key] {
				delete(fields, key)
			}
		case []any:
			for _, item := range v {
				if m, ok := item.(map[string]any); ok {
					prune(m)
				}
			}
		}
	}
}

// setEmpty writes the values of variables that are set to nothing: the typed object
// leaves them out, and what is not sent is anybody's to set.
func setEmpty(fields map[string]any) {
	containers, _, _ := unstructured.NestedFieldNoCopy(fields, "spec", "template", "spec", "containers")
	all, _ := containers.([]any)
	for _, c := range all {
		c, _ := c.(map[string]any)
		env, _ := c["env"].([]any)
		for _, v := range env {
			if v, ok := v.(map[string]any); ok && v["value"] == nil && v["valueFrom"] == nil {
				v["value"] = ""
			}
		}
	}
}

// meantEmpty are fields that say something by being there.
var meantEmpty = map[string]bool{"emptyDir": true}

// hashOf returns the hash of what is set in a part of an object, which must be a
// pointer to a struct. It does not change when the type gets new fields.
func hashOf(part any) string {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(part)
	if err != nil {
		panic("kubernetes: what Berth makes is plain data: " + err.Error())
	}
	prune(fields)
	data, err := json.Marshal(fields) // maps are written in the order of their keys
	if err != nil {
		panic("kubernetes: what Berth makes is plain data: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
