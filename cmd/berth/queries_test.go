package main

// documents are the queries of the commands that no [resource] makes.
var documents = map[string]string{
	"search":                   searchQuery,
	"explain":                  explainQuery,
	"explain --app":            matchFlavourQuery,
	"logs of a deployment":     logDeploymentQuery,
	"logs of a pod":            logPodQuery,
	"events":                   eventsQuery,
	"events, followed":         eventsSubscription,
	"top":                      usageQuery,
	"reconcile":                reconcileMutation,
	"reconcile, the outcome":   reconcileStateQuery,
	"whether a server answers": pingQuery,
	"retry":                    retryMutation,
	"retry, the outcome":       retryStateQuery,
}
