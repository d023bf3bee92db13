package engine

import "context"

// Reconcile has the engine look again at once, whatever pauses there are: at a
// deployment, at the pods of a backend, or, if both are empty, at everything. The
// error, a [schema.Error] of kind invalid, says that there is no such thing.
func (e *Engine) Reconcile(deployment, backend string) error { return nil }

// Retry has a failed rollout tried again: the failed pods, which are the memory
// of it, are removed, and their names are returned. The error is a [schema.Error]
// of kind invalid where nothing failed, and says what may help instead.
func (e *Engine) Retry(ctx context.Context, deployment string) (pods []string, err error) {
	return nil, nil
}
