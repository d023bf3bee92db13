// Package kubernetes runs pods on a Kubernetes cluster, in the cluster's own way:
// a deployment is a Deployment of apps/v1, with a Service if it has ports and a
// PersistentVolumeClaim for each named volume. Kubernetes' controllers keep its
// pods, roll them and restart them; Berth writes these objects by server-side
// apply when they are not as they should be, and observes what becomes of them.
//
// What is pure stands apart from what asks the cluster. A workload becomes
// objects (objects.go, pod.go, volumes.go, needs.go), which are compared with
// what is there (cover.go); what there is becomes pods with reasons in words
// (observe.go, reason.go, others.go), and the two together say what to do next (decide.go).
//
// Around it stands what asks the cluster:
//
//   - reach.go, renew.go, api.go: how the API server is reached, and what it is asked
//   - session.go, events.go: caches of what is there, and what changes in them
//   - apply.go, write.go: from a decision to server-side apply
//   - remove.go: what is taken away
//   - pods.go, ask.go, logs.go, usage.go: what is told
//   - errors.go: what the API's errors mean
//
// What Berth wrote is compared only once the caches hold it, so nothing is written
// twice, and nothing at all when nothing is to do.
package kubernetes
