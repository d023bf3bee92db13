package engine

import (
	"fmt"
	"testing"

	"github.com/berthdev/berth/sources/desired"
)

// BenchmarkPublish measures what it costs to let readers see a change of one
// deployment among 10,000, half of which are on their way.
func BenchmarkPublish(b *testing.B) {
	e := New(Options{})
	e.view.State = desired.New("bench")
	var all []*status
	for i := range 10_000 {
		s := &status{Status: Status{Deployment: fmt.Sprintf("d%05d", i)}}
		e.statuses[s.Deployment] = s
		e.turn(s, []State{StateReady, StateProgressing}[i%2], "", "")
		all = append(all, s)
	}
	e.publish()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		e.turn(all[i*7919%len(all)], []State{StateReady, StateProgressing}[i/len(all)%2], fmt.Sprint(i), "")
		e.publish()
	}
}

// BenchmarkStatuses measures a reader that looks at each of 10,000 deployments.
func BenchmarkStatuses(b *testing.B) {
	e := New(Options{})
	for i := range 10_000 {
		s := &status{Status: Status{Deployment: fmt.Sprintf("d%05d", i)}}
		e.statuses[s.Deployment] = s
		e.turn(s, StateReady, "", "")
	}
	e.publish()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for s := range e.View().Statuses() {
			if s.State == StateReady {
				n++
			}
		}
		if n != 10_000 {
			b.Fatal(n)
		}
	}
}
