package main

import (
	"strings"
	"testing"
)

func TestPodReason(t *testing.T) {
	code := 3
	for _, tc := range []struct {
		reason string
		code   *int
		want   string
	}{
		{"", nil, ""},
		{"", &code, "exit code 3"},
		{"out of memory", &code, "out of memory"},
	} {
		if got := podReason(tc.reason, tc.code); got != tc.want {
			t.Errorf("%q, exit code %v: %q, want %q", tc.reason, tc.code, got, tc.want)
		}
	}
}

// What a document asks for that cannot be read is not known, and not told as nothing.
func TestAskedForIsNotGuessed(t *testing.T) {
	for _, tc := range []struct {
		name         string
		d            deploymentItem
		short, ready string
		asks         string
	}{
		{"declared", deploymentItem{Declared: true, Position: &position{}, Replicas: 2, ReadyReplicas: 1, AppIdentifier: "org.db"}, "1/2", "1 of 2 pods", "org.db, the newest release"},
		{"broken", deploymentItem{Position: &position{}, ReadyReplicas: 1, AppIdentifier: "org.db"}, "1/?", "1 pod", "not known: its document cannot be used"},
		{"declared no more", deploymentItem{ReadyReplicas: 2, AppIdentifier: "org.db"}, "2/0", "2 pods", ""},
	} {
		story := deploymentStory{deploymentItem: tc.d}
		if short, ready, asks := tc.d.ready(), story.readyPods(), story.asks(); short != tc.short || ready != tc.ready || asks != tc.asks {
			t.Errorf("%s: %q, %q, %q", tc.name, short, ready, asks)
		}
	}
}

func TestListsKeepTheirText(t *testing.T) {
	var out strings.Builder
	if err := writeJSON(&out, connection[string]{Nodes: []string{"1 -> 2 & <3>"}}); err != nil || !strings.Contains(out.String(), "1 -> 2 & <3>") {
		t.Errorf("%s, %v", out.String(), err)
	}
}
