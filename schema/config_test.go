package schema

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfigDefaults(t *testing.T) {
	c, problems := DecodeConfig("berth.yaml", nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c.Desired.URL = "https://git.example.org/lab/Desired_State.git"
	c.Default("/data")
	want := &Config{
		Instance: "desired-state", Listen: "127.0.0.1:8484", DataDir: "/data",
		Desired:  Desired{URL: c.Desired.URL, Path: ".", Interval: ptr(Duration(30e9))},
		Status:   StatusConfig{Context: "berth"},
		Log:      LogConfig{Level: "info", Format: "text"},
		Backends: []BackendConfig{{Name: "docker", Type: BackendDocker, Workers: 8, PullTimeout: ptr(Duration(30 * 60e9))}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if problems := c.Validate(); len(problems) > 0 {
		t.Errorf("the defaults are not valid: %v", problems)
	}
	set := *c
	set.Instance, set.Desired.Interval = "lab", ptr(Duration(1e9))
	set.Backends = []BackendConfig{{Name: "a", Type: BackendKubernetes, Workers: 2}}
	set.Default("/other")
	if set.Instance != "lab" || set.DataDir != "/data" || *set.Desired.Interval != 1e9 || set.Backends[0].Workers != 2 {
		t.Errorf("a default replaces what is set: %+v", set)
	}
}

func TestInstanceName(t *testing.T) {
	for url, want := range map[string]string{
		"https://git.example.org/lab/desired.git":  "desired",
		"https://git.example.org/lab/desired.git/": "desired",
		"git@git.example.org:desired.git":          "desired",
		"git@git.example.org:lab/My Desired.State": "my-desired-state",
		"/srv/git/lab":             "lab",
		"/srv/git/lab/.git":        "lab",
		`C:\repos\lab`:             "lab",
		"./--a__b--":               "a-b",
		"":                         DefaultInstance,
		"/":                        DefaultInstance,
		"../..":                    DefaultInstance,
		"/é":                       DefaultInstance,
		strings.Repeat("ab-", 50):  strings.Repeat("ab-", 20) + "ab-"[:2],
		"https://x/" + "UPPER.git": "upper",
	} {
		got := InstanceName(url)
		if got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
		if !labelPattern.MatchString(got) || len(got) > maxLabel {
			t.Errorf("%s: %q is no DNS label", url, got)
		}
	}
}

// A setting has one name in three spellings, and none is taken twice.
func TestSettingsAreNamedAlike(t *testing.T) {
	names := map[string]string{}
	for _, s := range Settings() {
		for _, name := range []string{s.Key, s.Env, "--" + s.Flag} {
			if other, taken := names[name]; taken && other != s.Key {
				t.Errorf("%s means %s and %s", name, other, s.Key)
			}
			names[name] = s.Key
		}
		if s.Doc == "" || s.Type == "" {
			t.Errorf("%+v", s)
		}
	}
	for name, key := range map[string]string{
		"dataDir": "dataDir", "BERTH_DATA_DIR": "dataDir", "--data-dir": "dataDir",
		"desired.url": "desired.url", "BERTH_DESIRED_URL": "desired.url", "--desired-url": "desired.url",
		"BERTH_WEBHOOKS_SECRET_ENV": "webhooks.secretEnv", "--log-level": "log.level", "BERTH_LISTEN": "listen",
	} {
		if names[name] != key {
			t.Errorf("%s means %q, want %s", name, names[name], key)
		}
	}
}

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        Config
		err         string // a part of the error
	}{
		{"dataDir", "/x", Config{DataDir: "/x"}, ""},
		{"BERTH_DESIRED_URL", "/r", Config{Desired: Desired{URL: "/r"}}, ""},
		{"--desired-interval", "5s", Config{Desired: Desired{Interval: ptr(Duration(5e9))}}, ""},
		{"desired-ref", "1.0", Config{Desired: Desired{Ref: "1.0"}}, ""},
		{"--log-level", "debug", Config{Log: LogConfig{Level: "debug"}}, ""},
		{"--log-level", "debgu", Config{}, `--log-level: "debgu" is not allowed: did you mean debug?`},
		{"--desired-interval", "5", Config{}, `"5" is no duration`},
		{"dataDir", "a\x00", Config{}, "zero byte"},
		{"backends", "x", Config{}, `"backends": there is no such setting`},
		{"desired", "x", Config{}, "no such setting"},
		{"", "x", Config{}, "no such setting"},
	} {
		var c Config
		err := c.Set(tt.name, tt.value)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s=%s: error %v, want %q", tt.name, tt.value, err, tt.err)
		}
		if !reflect.DeepEqual(c, tt.want) {
			t.Errorf("%s=%s: %+v", tt.name, tt.value, c)
		}
	}
}

func TestValidateWithoutAFileTellsNoPosition(t *testing.T) {
	c := Config{Listen: "nowhere", Desired: Desired{URL: "https://a:hunter2@b/c"}}
	problems := c.Validate()
	if len(problems) != 2 || problems[0].Line != 0 || strings.Contains(problems.Error(), "hunter2") {
		t.Errorf("problems: %v", problems)
	}
}
