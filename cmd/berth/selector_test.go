package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSelector(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct{ kind, selector, want string }{
		{"deployments", "app=org.stardist", `{"app":["org.stardist"]}`},
		{"deployments", "App==org.*", `{"app":["org.*"]}`},
		{"deployments", "state=failed,state=HELD", `{"state":["FAILED","HELD"]}`},
		{"deployments", "state!=ready", `{"state":["PROGRESSING","WAITING","HELD","FAILED","REMOVING"]}`},
		{"deployments", "state=ready,state=held,state!=held", `{"state":["READY"]}`},
		{"deployments", "user!=john,user!=jane", `{"not":{"user":["john","jane"]}}`},
		{"deployments", "backend=lab, user!=john", `{"backend":["lab"],"not":{"user":["john"]}}`},
		{"deployments", "commit=1f0c9ab", `{"commit":["1f0c9ab*"]}`},
		{"deployments", "user=", `{"user":[""]}`},
		{"pods", "ready=no,health=Healthy", `{"health":["HEALTHY"],"ready":[false]}`},
		{"pods", "ready!=true", `{"ready":[false]}`},
		{"releases", "pre-release=false", `{"prerelease":[false]}`},
		{"sources", "kind=desired", `{"kind":["DESIRED"]}`},
		{"events", "since=1h,severity!=info", `{"severity":["WARNING","ERROR"],"since":"2026-11-21T11:00:00Z"}`},
		{"events", "since=2d", `{"since":"2026-11-19T12:00:00Z"}`},
		{"events", "before=2026-11-20T00:00:00+02:00", `{"before":"2026-11-19T22:00:00Z"}`},
	} {
		r, err := resourceOf(tc.kind)
		if err != nil {
			t.Fatal(err)
		}
		filter, err := r.filter(strings.Split(tc.selector, ","), now)
		if err != nil {
			t.Errorf("%s -l %s: %v", tc.kind, tc.selector, err)
			continue
		}
		if got, _ := json.Marshal(filter); string(got) != tc.want {
			t.Errorf("%s -l %s: %s, want %s", tc.kind, tc.selector, got, tc.want)
		}
	}
}

// Whoever writes a wrong selector is told what there is; all are wrong usage.
func TestSelectorErrors(t *testing.T) {
	for _, tc := range []struct{ kind, selector, want string }{
		{"deployments", "app", "write it as key=value or key!=value"},
		{"deployments", "=x", "write it as key=value or key!=value"},
		{"deployments", "!=x", "write it as key=value or key!=value"},
		{"deployments", "", "write it as key=value or key!=value"},
		{"deployments", "sate=ready", `deployments have no key "sate"; did you mean state?; known are name, app, version,`},
		{"deployments", "not=x", `deployments have no key "not"`},
		{"deployments", "state=redy", `state cannot be "redy"; did you mean ready?; known are ready, progressing,`},
		{"pods", "ready=maybe", `ready cannot be "maybe"; known are true, false`},
		{"deployments", "user!=a,app!=b", "only one of app and user can have != at once"},
		{"events", "since=yesterday", `since cannot be "yesterday": write it as 10m`},
		{"events", "since=-1h", `since cannot be "-1h"`},
		{"events", "since!=1h", "since is one moment"},
		{"events", "since=1h,since=2h", "since is one moment"},
	} {
		r, err := resourceOf(tc.kind)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.filter(strings.Split(tc.selector, ","), time.Now())
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s -l %s: %v, want %s", tc.kind, tc.selector, err, tc.want)
		}
	}
}

func FuzzSelector(f *testing.F) {
	for _, s := range []string{"app=x", "state!=ready", "since=1h", "a==b", "!=", "ready=yes"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, term string) {
		for _, r := range resources {
			filter, err := r.filter([]string{term}, now)
			if err == nil && len(filter) == 0 {
				t.Errorf("%s -l %q selects nothing and is no error", r.name, term)
			}
			var usage usageError
			if err != nil && !errors.As(err, &usage) {
				t.Errorf("%s -l %q: %v is no usage error", r.name, term, err)
			}
		}
	})
}

func TestSortBy(t *testing.T) {
	for _, tc := range []struct{ kind, key, want string }{
		{"deployments", "", `null`},
		{"deployments", "name", `{"by":"NAME","direction":"ASC"}`},
		{"deployments", "-since", `{"by":"SINCE","direction":"DESC"}`},
		{"pods", "Restarts:DESC", `{"by":"RESTARTS","direction":"DESC"}`},
		{"sources", "last-success:asc", `{"by":"LAST_SUCCESS","direction":"ASC"}`},
		{"deployments", "nam", `cannot be sorted by "nam"; did you mean name?; known are name, state, since, app, backend`},
		{"deployments", "name:up", `write KEY, or -KEY or KEY:desc`},
		{"deployments", "-name:desc", `write KEY, or -KEY or KEY:desc`},
		{"events", "time", `events come by their time`},
	} {
		r, err := resourceOf(tc.kind)
		if err != nil {
			t.Fatal(err)
		}
		order, err := r.order(tc.key)
		got, _ := json.Marshal(order)
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.Contains(string(got), tc.want) {
			t.Errorf("%s --sort-by %s: %s, want %s", tc.kind, tc.key, got, tc.want)
		}
	}
}

func TestResourceOf(t *testing.T) {
	for name, want := range map[string]string{
		"deployments": "deployments", "Deployment": "deployments", "deploy": "deployments", "rel": "releases", "po": "pods",
		"be": "backends", "src": "sources", "ev": "events", "flavor": "flavours", "repository": "repos", "commit": "commits", "app": "apps",
	} {
		r, err := resourceOf(name)
		if err != nil || r.name != want {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	if _, err := resourceOf("deploymnets"); err == nil || !strings.Contains(err.Error(), "did you mean deployments?") {
		t.Errorf("a slip of the pen: %v", err)
	}
	if _, err := resourceOf("x"); err == nil || !strings.Contains(err.Error(), "use one of repos, apps,") {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestNamesOfThings(t *testing.T) {
	for _, tc := range []struct{ kind, name, want string }{
		{"release", "org.x@1.0.0", `{"app":"org.x","version":"1.0.0"}`},
		{"release", "org.x", "a release is named IDENTIFIER@VERSION"},
		{"release", "@1", "a release is named IDENTIFIER@VERSION"},
		{"flavour", "org.x@1.0.0+a/b/cuda", `{"app":"org.x","name":"cuda","version":"1.0.0+a/b"}`},
		{"flavour", "org.x@1.0.0", "a flavour is named IDENTIFIER@VERSION/NAME"},
		{"flavour", "org.x/cuda", "a flavour is named IDENTIFIER@VERSION/NAME"},
		{"flavour", "org.x@1/", "a flavour is named IDENTIFIER@VERSION/NAME"},
		{"pod", "web-0", `{"name":"web-0"}`},
		{"pod", "lab/web-0", `{"backend":"lab","name":"web-0"}`},
	} {
		r, err := resourceOf(tc.kind)
		if err != nil {
			t.Fatal(err)
		}
		args, err := r.split(tc.name)
		got, _ := json.Marshal(args)
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.Contains(string(got), tc.want) {
			t.Errorf("%s %s: %s, want %s", tc.kind, tc.name, got, tc.want)
		}
	}
}
