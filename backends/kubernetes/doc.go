// Package kubernetes runs pods on a Kubernetes cluster, in the cluster's own way:
// a deployment is a Deployment of apps/v1, with a Service if it has ports and a
// PersistentVolumeClaim for each named volume. Kubernetes' controllers keep its
// pods, roll them and restart them; Berth writes these objects by server-side
// apply when they are not as they should be, and observes what becomes of them.
//
// What is pure stands apart from what asks the cluster. A workload becomes
// objects (objects.go, pod.go, volumes.go, needs.go), which are compared with
// what is there (cover.go); what there is becomes pods with reasons in words
// (observe.go, reason.go), and the two together say what to do next (decide.go).
package kubernetes
