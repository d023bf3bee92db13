package api

import (
	"fmt"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// Hint says what a person can do next about a deployment; empty when all is well,
// or goes on by itself.
func (d deployment) Hint() string {
	switch d.s.State {
	case engine.StateFailed:
		return d.hintFailed()
	case engine.StateHeld:
		return d.hintHeld()
	case engine.StateWaiting:
		return d.hintWaiting()
	}
	return ""
}

func (d deployment) hintWaiting() string {
	switch {
	case d.w.view.DryRun:
		return "start Berth without --dry-run to have it done"
	case d.w.view.Standby:
		return ""
	case d.s.Release == "":
		return "it goes on as soon as a repo that is followed publishes what it asks for; 'berth search' finds what there is"
	}
	return fmt.Sprintf("it goes on by itself as soon as what it waits for is there; 'berth explain %s' shows the choices that it has", d.s.Deployment)
}

// hintFailed tells a rollout that was given up, whose pods are kept as evidence,
// from what could not even begin.
func (d deployment) hintFailed() string {
	name := d.s.Deployment
	if len(d.s.Pods) == 0 {
		return fmt.Sprintf("change what the reason names%s, and push; or, if the cause is gone, run 'berth retry %s'", d.in(), name)
	}
	return fmt.Sprintf("see what it wrote with '%s'; then change it%s and push, or run 'berth retry %s' to try the same again", d.s.LogCommand(), d.in(), name)
}

func (d deployment) hintHeld() string {
	switch guard := d.guarded(); {
	case d.Suspended():
		return fmt.Sprintf("remove 'suspend'%s and push, to have it go on", d.in())
	case guard:
		return `if the removal is meant, push a commit whose message has the line "Berth-Confirm: removal"; if not, declare the deployments again`
	case !d.Declared() && d.Position() != nil:
		return fmt.Sprintf("correct %s and push; 'berth validate' checks it before", d.Position().Text())
	case d.Declared():
		return fmt.Sprintf("change what the reason names%s, and push", d.in())
	}
	return "correct what the reason names in the desired state, and push"
}

// guarded tells whether it is held because too much would be removed at once.
func (d deployment) guarded() bool {
	plan := d.w.view.Plan
	return !d.Declared() && plan != nil && plan.Guard().Active() && plan.Guard().Kind == schema.Invalid && plan.Guard().Reason == d.s.Reason
}

// in names the file to change, where it is known.
func (d deployment) in() string {
	if at := d.Position(); at != nil {
		return " in " + at.Text()
	}
	return ""
}
