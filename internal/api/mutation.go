package api

import (
	"context"

	graphql "github.com/graph-gophers/graphql-go"
)

// mutation resolves the fields of Mutation.
type mutation struct{ api *API }

type reconcileResult struct {
	Time graphql.Time
	What []string
}

type retryResult struct {
	Time       graphql.Time
	Deployment *deployment
	Pods       []string
}

func (m *mutation) Reconcile(ctx context.Context, args struct{ Source, Deployment, Backend *string }) (*reconcileResult, error) {
	return nil, nil
}

func (m *mutation) Retry(ctx context.Context, args struct{ Deployment string }) (*retryResult, error) {
	return nil, nil
}
