package api

type (
	indexes          struct{}
	query            struct{ api *API }
	deployment       struct{}
	pod              struct{}
	event            struct{}
	deploymentFilter struct{}
	podFilter        struct{}
	eventFilter      struct{}
)

// matcher returns what a filter lets through; of a nil filter, everything.
func (f *deploymentFilter) matcher() (func(*deployment) bool, error) { return nil, nil }
func (f *podFilter) matcher() (func(*pod) bool, error)               { return nil, nil }
func (f *eventFilter) matcher() (func(*event) bool, error)           { return nil, nil }
