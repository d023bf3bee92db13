package main

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
)

const (
	unread   = `{"instance": {"ready": false, "waitsFor": "the desired state was not read yet", "commit": null}}`
	unlisted = `{"instance": {"ready": false, "waitsFor": "backend lab: it does not answer", "commit": {"hash": "1"}}}`
	knows    = `{"instance": {"ready": true, "waitsFor": "", "commit": {"hash": "1"}}}`
)

// pings answers whether the server is there, one answer after the other; the last
// one again and again. An empty one is a server that is not there.
func pings(answers ...string) fakeServer {
	return fakeServer{query: func(string, map[string]any) (string, error) {
		now := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		if now == "" {
			return "", errAway
		}
		return now, nil
	}}
}

// A server counts as back once it knows what there is. For a backend that stays
// away it is not waited for longer than a while, and no second time.
func TestAgainWaitsForAPlan(t *testing.T) {
	away := "the server went away (connection refused); asking again until it is back\n"
	anew := "the server answers, but it is not ready: the desired state was not read yet\n"
	for name, tc := range map[string]struct {
		answers []string
		planned bool
		told    string
		least   time.Duration
		most    time.Duration
	}{
		"at once":               {[]string{knows}, true, away, 0, time.Second},
		"without a plan":        {[]string{"", unread, unread, unread, unread, unread, unread, unread, unread, unread, knows}, true, away + anew, unknownTime, time.Minute},
		"no plan is needed":     {[]string{unread}, false, away, 0, time.Second},
		"a backend comes":       {[]string{unlisted, unlisted, knows}, true, away + strings.Replace(anew, "the desired state was not read yet", "backend lab: it does not answer", 1), 0, time.Second},
		"a backend stays away":  {[]string{unlisted}, true, away + strings.Replace(anew, "the desired state was not read yet", "backend lab: it does not answer", 1), unknownTime, unknownTime + 2*lastAgain},
		"both, one after other": {[]string{unread, unlisted}, true, away + anew, unknownTime, unknownTime + 3*lastAgain},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told strings.Builder
				p := &persistence{ask: pings(tc.answers...), err: &told, planned: tc.planned}
				begun := time.Now()
				if err := p.again(t.Context(), errAway); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took < tc.least || took > tc.most {
					t.Errorf("it took %s", took)
				}
				if diff := cmp.Diff(tc.told+"the server is back\n", told.String()); diff != "" {
					t.Error(diff)
				}
				begun = time.Now()
				if err := p.check(t.Context()); err != nil || time.Since(begun) > 0 {
					t.Errorf("asked once more: %v, after %s", err, time.Since(begun))
				}
			})
		})
	}
}

// A server that began anew between two looks, so that no connection was lost, is
// waited for too; one that refuses is not.
func TestCheckWaitsForAPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told strings.Builder
		p := &persistence{ask: pings(unread, unread, knows), err: &told, planned: true}
		if err := p.check(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := "the server began anew (it is not ready: the desired state was not read yet); asking again until it is back\nthe server is back\n"
		if diff := cmp.Diff(want, told.String()); diff != "" {
			t.Error(diff)
		}
		refused := &schema.Error{Op: "ask", Kind: schema.Terminal, Err: errors.New("no token")}
		p.ask = fakeServer{query: func(string, map[string]any) (string, error) { return "", refused }}
		if err := p.check(t.Context()); !errors.Is(err, refused) {
			t.Errorf("%v, want %v", err, refused)
		}
	})
}
