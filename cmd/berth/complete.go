package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeTime is how long a completion may take: a person waits for it. Tests wait for
// longer, where the machine is slow.
var completeTime = time.Second

type completion = func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective)

// A completer says which kinds of names may come next, and what stands before
// them; nil: none.
type completer func(args []string, kinds []string) (prefixes map[string]string)

// firstOnly completes one argument.
func firstOnly(args, kinds []string) map[string]string {
	if len(args) > 0 {
		return nil
	}
	return anyMore(args, kinds)
}

// anyMore completes every argument.
func anyMore(_, kinds []string) map[string]string {
	out := map[string]string{}
	for _, kind := range kinds {
		out[kind] = ""
	}
	return out
}

// logTargets completes deployments as they are, and pods as pod/NAME.
func logTargets([]string, []string) map[string]string {
	return map[string]string{"deployments": "", "pods": "pod/"}
}

// completeNames completes names of these kinds, as the server tells them. Without
// a server, or with a slow one, it completes nothing and says nothing.
func completeNames(next completer, kinds ...string) completion {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		for kind, prefix := range next(args, kinds) {
			rest, ok := strings.CutPrefix(begun, prefix)
			if !ok && !strings.HasPrefix(prefix, begun) {
				continue
			}
			if !ok {
				if prefix != "" {
					out = append(out, prefix) // the names come with the next key
				}
				continue
			}
			for _, name := range serverNames(cmd, kind, rest) {
				if !slices.Contains(args, prefix+name) {
					out = append(out, prefix+name)
				}
			}
		}
		slices.Sort(out)
		directive := cobra.ShellCompDirectiveNoFileComp
		if len(out) == 1 && strings.HasSuffix(out[0], "/") {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return out, directive
	}
}

// completeFixed completes the value of a flag with the values that it may have.
func completeFixed(cmd *cobra.Command, flag string, values []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeFlag completes the value of a flag with names of a kind.
func completeFlag(cmd *cobra.Command, flag, kind string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, completeNames(func([]string, []string) map[string]string { return map[string]string{kind: ""} }))
}

// serverNames asks for the names of a kind that begin with a text.
func serverNames(cmd *cobra.Command, kind, begun string) []string {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	r, err := resourceOf(kind)
	if err != nil {
		return nil
	}
	ask, err := serverFlagsOf(cmd).open()
	if err != nil {
		return nil
	}
	defer ask.Close()
	var answer struct{ Page struct{ Nodes []named } }
	variables := map[string]any{"first": maxPage}
	if begun != "" && (r.nameBy == "name" || r.nameBy == "identifier") {
		variables["filter"] = map[string]any{r.nameBy: []string{begun + "*"}}
	}
	if err := ask.Query(ctx, r.namesDocument(), variables, &answer); err != nil {
		return nil
	}
	var out []string
	for _, n := range answer.Page.Nodes {
		if strings.HasPrefix(n.Name, begun) {
			out = append(out, n.Name)
		}
	}
	return out
}
