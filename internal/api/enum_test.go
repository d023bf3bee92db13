package api

import (
	"slices"
	"testing"

	"github.com/graph-gophers/graphql-go/ast"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// TestEnums holds the schema's enums to the values that the layers below know.
func TestEnums(t *testing.T) {
	enums := map[string][]string{
		"DeploymentState": names(states),
		"PodState": names([]backends.PodState{
			backends.PodCreated, backends.PodRunning, backends.PodRestarting, backends.PodExited, backends.PodPaused, backends.PodFailed, backends.PodGoing,
		}),
		"Health":       append(names([]backends.Health{backends.HealthStarting, backends.HealthHealthy, backends.HealthUnhealthy}), "NONE"),
		"Action":       names(actions),
		"Match":        names([]planner.Match{planner.Matched, planner.Unverified, planner.NotMatched}),
		"BackendType":  names(schema.BackendType("").Values()),
		"SelectorKind": names(schema.SelectorKind("").Values()),
		"NoticeKind": names([]catalog.NoticeKind{
			catalog.NoticeShadowed, catalog.NoticeRepublished, catalog.NoticeNotAllowed, catalog.NoticeDuplicate, catalog.NoticeInvalid,
		}),
		"RolloutState": names([]journal.RolloutState{journal.Progressing, journal.Ready, journal.Failed, journal.Superseded}),
		"Severity":     names([]journal.Severity{journal.Info, journal.Warning, journal.Error}),
		"EventKind": names([]journal.Kind{
			journal.Commit, journal.App, journal.State, journal.Step, journal.Pod, journal.Source, journal.Backend, journal.Request,
		}),
		"Verdict": append(names([]engine.Verdict{engine.Pending, engine.Success, engine.Failure}), enum(journal.VerdictSuperseded), enum(journal.VerdictUnknown)),
	}
	a, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range enums {
		var got []string
		for _, v := range a.schema.AST().Types[name].(*ast.EnumTypeDefinition).EnumValuesDefinition {
			got = append(got, v.EnumValue)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q in the schema, and %q below", name, got, want)
		}
	}
}

func names[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = enum(v)
	}
	return out
}

// TestOrders holds the orders of the lists to those of the schema.
func TestOrders(t *testing.T) {
	a, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, has func(order string) bool) {
		for _, v := range a.schema.AST().Types[name].(*ast.EnumTypeDefinition).EnumValuesDefinition {
			if !has(v.EnumValue) {
				t.Errorf("%s: %s cannot be done", name, v.EnumValue)
			}
		}
	}
	check("RepoOrderField", func(by string) bool { return repos.orders[by] != nil })
	check("AppOrderField", func(by string) bool { return apps.orders[by] != nil })
	check("ReleaseOrderField", func(by string) bool { return releases.orders[by] != nil })
	check("FlavourOrderField", func(by string) bool { return flavours.orders[by] != nil })
	check("DeploymentOrderField", func(by string) bool { return deployments.orders[by] != nil })
	check("PodOrderField", func(by string) bool { return pods.orders[by] != nil })
	check("BackendOrderField", func(by string) bool { return listedBackends.orders[by] != nil })
	check("SourceOrderField", func(by string) bool { return listedSources.orders[by] != nil })
}
