package backends

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// hashVersion stands before every hash, so that a later Berth can tell how a
// pod's hash was made and compare in the same way.
const hashVersion = "1:"

// SpecHash returns the hash of what a pod is made of.
func (w Workload) SpecHash() string { return hashOf(w.Pod) }

// InputHash returns the hash of all that decides whether a rollout succeeds.
func (w Workload) InputHash() string {
	return hashOf(struct {
		Pod     PodSpec `json:"pod"`
		Rollout Rollout `json:"rollout"`
	}{w.Pod, w.Rollout})
}

func hashOf(v any) string {
	data, err := json.Marshal(v) // maps are written in the order of their keys
	if err != nil {
		panic("backends: a specification is plain data: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hashVersion + hex.EncodeToString(sum[:16])
}
