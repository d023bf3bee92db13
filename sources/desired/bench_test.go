package desired_test

import (
	"fmt"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

// many returns 10,000 files of one deployment each; each tenth depends on the one before.
func many() []desired.FileChange {
	changes := make([]desired.FileChange, 10_000)
	for i := range changes {
		name := fmt.Sprintf("deployment-%05d", i)
		var dependsOn []string
		if i%10 == 9 {
			dependsOn = []string{fmt.Sprintf("deployment-%05d", i-1)}
		}
		changes[i] = declares(name+".yaml", deployment(name, name+".yaml", 1, dependsOn...))
	}
	return changes
}

func BenchmarkFirstCommitOf10000(b *testing.B) {
	changes := many()
	b.ReportAllocs()
	for b.Loop() {
		desired.New(remote).With("c1", changes...)
	}
}

func BenchmarkOneChangeOf10000(b *testing.B) {
	base, _ := desired.New(remote).With("c1", many()...)
	versions := []string{"^1", "^2"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := deployment("deployment-05000", "deployment-05000.yaml", 1)
		d.Version = versions[i%2]
		base, _ = base.With("c2", declares("deployment-05000.yaml", d))
	}
}

func BenchmarkHoldsOf10000(b *testing.B) {
	s, _ := desired.New(remote).With("c1", many()...)
	s, _ = s.With("c2", cannotParse("bad.yaml", "kind: Deployment\nname: web\n"))
	b.ReportAllocs()
	for b.Loop() {
		if _, hold := s.Holds("gone", "gone.yaml"); hold {
			b.Fatal("held")
		}
	}
}

func BenchmarkProblemsOf10000(b *testing.B) {
	base, _ := desired.New(remote).With("c1", many()...)
	b.ReportAllocs()
	for b.Loop() {
		s, _ := base.With("c2", desired.FileChange{Path: "x.yaml", Parsed: schema.DesiredFile{}})
		if len(s.Problems()) > 0 {
			b.Fatal("problems")
		}
	}
}
