package backends

import (
	"context"
	"errors"

	"github.com/berthdev/berth/schema"
)

// ReadOnly returns b with everything refused that writes, for what may look and
// change nothing.
func ReadOnly(b Backend) Backend { return readOnly{b} }

// readOnly has no PruneImages, even if its backend has.
type readOnly struct{ Backend }

func (r readOnly) Apply(_ context.Context, w Workload, _ func(Step)) (Progress, error) {
	return Progress{}, r.refuse("apply", w.Deployment)
}

func (r readOnly) Remove(_ context.Context, deployment string, _ func(Step)) error {
	return r.refuse("remove", deployment)
}

func (r readOnly) Forget(_ context.Context, deployment string, _ func(Step)) error {
	return r.refuse("forget failed pods", deployment)
}

func (r readOnly) Uninstall(context.Context, bool, func(Step)) error {
	return r.refuse("uninstall", "")
}

func (r readOnly) refuse(op, deployment string) error {
	resource := "backend " + r.Name()
	if deployment != "" {
		resource = deployment + " on " + resource
	}
	return &schema.Error{
		Op: op, Resource: resource, Kind: schema.Terminal,
		Hint: "nothing may be changed here", Err: errors.New("read-only"),
	}
}
