package api

import "context"

// subscription resolves the fields of Subscription.
type subscription struct{ api *API }

type deploymentChange struct {
	Kind       string
	Name       string
	Deployment *deployment
}

type podChange struct {
	Kind    string
	Name    string
	Backend string
	Pod     *pod
}

func (s *subscription) Deployments(ctx context.Context, args struct {
	Filter  *deploymentFilter
	Initial bool
}) (<-chan *deploymentChange, error) {
	return nil, nil
}

func (s *subscription) Pods(ctx context.Context, args struct {
	Filter  *podFilter
	Initial bool
}) (<-chan *podChange, error) {
	return nil, nil
}

func (s *subscription) Events(ctx context.Context, args struct {
	Filter *eventFilter
	Last   int32
}) (<-chan *event, error) {
	return nil, nil
}
