// Package access says who may ask what of the server: a request from this machine
// needs no token, any other one does.
package access

import "context"

// Role is what somebody may do.
type Role string

// The roles; each may do what those before it may.
const (
	None   Role = ""       // nothing
	Viewer Role = "viewer" // look
	Admin  Role = "admin"  // look, and ask for work
)

// Values lists the roles that a token may have.
func (Role) Values() []string { return []string{string(Viewer), string(Admin)} }

// A Caller is who makes a request.
type Caller struct {
	Name string // of the token; "local" for a request from this machine without one
	Role Role
}

type key struct{}

// With returns a context that carries the caller.
func With(ctx context.Context, c Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// From returns the caller of a request; nobody, with role None, when there is none.
func From(ctx context.Context) Caller {
	c, _ := ctx.Value(key{}).(Caller)
	return c
}
