package main

// documents are the GraphQL documents that commands ask besides those that
// [resource] makes, for the test that holds them to the schema.
var documents = map[string]string{
	"search":                 searchQuery,
	"explain":                explainQuery,
	"explain --app":          matchFlavourQuery,
	"logs of a deployment":   logDeploymentQuery,
	"logs of a pod":          logPodQuery,
	"events":                 eventsQuery,
	"events, followed":       eventsSubscription,
	"top":                    usageQuery,
	"reconcile":              reconcileMutation,
	"reconcile, the outcome": reconcileStateQuery,
	"retry":                  retryMutation,
	"retry, the outcome":     retryStateQuery,
}
