// Package access says who may ask what of the server: a request from this machine
// needs no token, any other one does.
//
// A token is 32 random bytes, so what is stored of it can be its plain SHA-256: a
// slow or salted hash protects what people choose and could be guessed, and
// nobody guesses 256 bits.
package access

import (
	"context"

	"github.com/berthdev/berth/schema"
)

// Role is what somebody may do.
type Role = schema.Role

// The roles; each may do what those before it may.
const (
	None   Role = ""                // nothing
	Viewer      = schema.RoleViewer // look
	Admin       = schema.RoleAdmin  // look, and ask for work
)

var ranks = map[Role]int{Viewer: 1, Admin: 2}

// Local is the name of who asks from this machine, without a token.
const Local = "local"

// A Caller is who makes a request.
type Caller struct {
	Name string // of the token; [Local] for a request from this machine without one
	Role Role
}

// May tells whether the caller has a role, or one that may do more.
func (c Caller) May(role Role) bool { return ranks[c.Role] >= ranks[role] }

type key struct{}

// With returns a context that carries the caller.
func With(ctx context.Context, c Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// From returns the caller of a request; nobody, with role None, when there is none.
func From(ctx context.Context) Caller {
	c, _ := ctx.Value(key{}).(Caller)
	return c
}
