package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/internal/client"
)

func newRetry(c console) *cobra.Command {
	var o waitOptions
	cmd := &cobra.Command{
		Use:   "retry DEPLOYMENT",
		Short: "Try a failed rollout again, and wait for its end",
		Long: `Try a rollout again that was given up, although its input did not change: for
what failed outside, a registry, a service, a full disk. The failed pods, which
are kept as evidence, are removed; read their logs before with "berth logs
DEPLOYMENT --failed".

The exit code is 1 if it fails again, or if the time was too short to know.`,
		Example: `  berth retry stardist-john
  berth retry stardist-john --no-wait`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeNames(firstOnly, "deployments"),
	}
	server := addServerFlags(cmd)
	addWaitFlags(cmd, &o, 5*time.Minute, "the new rollout has ended")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ask, err := server.open()
		if err != nil {
			return err
		}
		return retry(cmd.Context(), c, ask, deploymentName(args[0]), o)
	}
	return cmd
}

const (
	retryMutation   = `mutation($deployment: String!) { retry(deployment: $deployment) { time pods } }`
	retryStateQuery = `query($deployment: String!) {
	deployment(name: $deployment) { ` + standingFields + ` rollouts { startedAt } } }`
)

func retry(ctx context.Context, c console, ask *client.Client, name string, o waitOptions) error {
	var answer struct {
		Retry struct {
			Time time.Time
			Pods []string
		}
	}
	if err := ask.Query(ctx, retryMutation, map[string]any{"deployment": name}, &answer); err != nil {
		return err
	}
	for _, pod := range answer.Retry.Pods {
		fmt.Fprintf(c.out, "deployment %s: removed the failed pod %s\n", name, oneLine(pod))
	}
	if o.noWait {
		fmt.Fprintf(c.out, "deployment %s: the rollout is tried again\n", name)
		return nil
	}
	var last retried
	ended, err := poll(ctx, o.timeout, func(ctx context.Context) (bool, error) {
		var state struct{ Deployment *retried }
		if err := ask.Query(ctx, retryStateQuery, map[string]any{"deployment": name}, &state); err != nil {
			return false, err
		}
		if last = (retried{}); state.Deployment == nil {
			return true, nil // it was removed meanwhile
		}
		last = *state.Deployment
		return last.ended(answer.Retry.Time), nil
	})
	switch {
	case err != nil:
		return err
	case last.Name == "":
		fmt.Fprintf(c.out, "deployment %s: it is declared no more\n", name)
		return nil
	}
	fmt.Fprintf(c.out, "deployment %s: %s\n", name, last.tell(coloursOf(c.out)))
	if last.Hint != "" {
		fmt.Fprintf(c.err, "hint: %s\n", oneLine(last.Hint))
	}
	if !ended {
		fmt.Fprintf(c.err, "after %s it is not known yet how this ends; it goes on\n", o.timeout)
	}
	if !ended || last.State != "ready" {
		return exitError(exitFailed)
	}
	return nil
}

// retried is where a deployment stands whose rollout is tried again.
type retried struct {
	deploymentStanding
	Rollouts []struct{ StartedAt time.Time }
}

// ended tells whether a rollout has ended that began after it was asked for.
func (r *retried) ended(asked time.Time) bool {
	if r.State != "ready" && r.State != "failed" && r.State != "held" {
		return false
	}
	return !r.Since.Before(asked) || len(r.Rollouts) > 0 && !r.Rollouts[0].StartedAt.Before(asked)
}
