package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/docker/docker/client"

	"github.com/berthdev/berth/schema"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		engine string // its words
		kind   schema.ErrorKind
		told   string // what is left of them
		hint   bool
	}{
		{
			`Error response from daemon: OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "serve": executable file not found in $PATH: unknown`,
			schema.Invalid, `exec: "serve": executable file not found in $PATH`, true,
		},
		{
			`Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/serve": stat /serve: no such file or directory: unknown`,
			schema.Invalid, `exec: "/serve": stat /serve: no such file or directory`, true,
		},
		{
			`driver failed programming external connectivity on endpoint berth-lab-web-0-aa (0123abcd): Bind for 0.0.0.0:8080 failed: port is already allocated`,
			schema.Transient, `Bind for 0.0.0.0:8080 failed: port is already allocated`, true,
		},
		{
			`Error response from daemon: driver failed programming external connectivity on endpoint x (01): Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use`,
			schema.Transient, `listen tcp4 0.0.0.0:80: bind: address already in use`, true,
		},
		{`write /var/lib/docker/tmp/x: no space left on device`, schema.Waiting, `write /var/lib/docker/tmp/x: no space left on device`, true},
		{`could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network`, schema.Waiting, "address pool", true},
		{`invalid mount config for type "bind": bind source path does not exist: /srv/x`, schema.Waiting, "/srv/x", true},
		{`could not select device driver "nvidia" with capabilities: [[gpu]]`, schema.Waiting, "nvidia", true},
		{`client version 1.41 is too old. Minimum supported API version is 1.44`, schema.Transient, "1.44", false},
		{
			`permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Head "http://%2Fvar%2Frun%2Fdocker.sock/_ping": dial unix /var/run/docker.sock: connect: permission denied`,
			schema.Transient, "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", true,
		},
		{`something new`, schema.Transient, "something new", false},
	}
	for _, test := range tests {
		err := classify("start pod", "web", errors.New(test.engine))
		var e *schema.Error
		if !errors.As(err, &e) || e.Kind != test.kind || (e.Hint != "") != test.hint {
			t.Errorf("%s:\n%#v", test.engine, err)
			continue
		}
		if got := e.Err.Error(); !strings.Contains(got, test.told) || strings.Contains(got, "OCI runtime") || strings.Contains(got, "userland") || strings.Contains(got, "%2F") {
			t.Errorf("told %q, want %q", got, test.told)
		}
		if hopeless(test.engine) != (test.kind == schema.Invalid) {
			t.Errorf("hopeless: %s", test.engine)
		}
	}
}

func TestClassifyKeepsTheCause(t *testing.T) {
	if classify("list", "pods", nil) != nil {
		t.Error("an error of nothing")
	}
	err := classify("list", "pods", fmt.Errorf("x: %w", context.DeadlineExceeded))
	if !errors.Is(err, context.DeadlineExceeded) || schema.KindOf(err) != schema.Transient {
		t.Errorf("%v", err)
	}
	inner := &schema.Error{Op: "reach", Kind: schema.Waiting, Err: errors.New("no key")}
	if got := classify("list", "pods", fmt.Errorf("during connect: %w", inner)); !errors.Is(got, inner) || got.Error() != inner.Error() {
		t.Errorf("%v", got)
	}
	err = classify("list", "pods", client.ErrorConnectionFailed("unix:///x"))
	if !strings.Contains(err.Error(), "is the Docker Engine running") || strings.Contains(err.Error(), "Is the docker daemon") {
		t.Errorf("%v", err) // once is enough
	}
	long := classify("list", "pods", errors.New(strings.Repeat("größe ", 1000)))
	if len(long.Error()) > 600 {
		t.Errorf("%d bytes", len(long.Error()))
	}
}

func TestPullError(t *testing.T) {
	tests := map[string]schema.ErrorKind{
		"manifest for a/b:1 not found: manifest unknown: manifest unknown":                                         schema.Waiting,
		"pull access denied for a/b, repository does not exist or may require 'docker login'":                      schema.Waiting,
		"unauthorized: authentication required":                                                                    schema.Waiting,
		"no basic auth credentials":                                                                                schema.Waiting,
		"toomanyrequests: You have reached your pull rate limit":                                                   schema.Transient,
		"Get \"https://x.invalid/v2/\": dial tcp: lookup x.invalid: no such host":                                  schema.Transient,
		"Get \"https://x/v2/\": x509: certificate signed by unknown authority":                                     schema.Waiting,
		"no matching manifest for linux/arm64/v8 in the manifest list entries":                                     schema.Invalid,
		"failed to register layer: Error processing tar file(exit status 1): write /x: no space left on device":    schema.Waiting,
		"Get \"https://x/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded)": schema.Transient,
	}
	for words, kind := range tests {
		err := pullError("a/b:1", errors.New(words))
		var e *schema.Error
		if !errors.As(err, &e) || e.Kind != kind || e.Hint == "" || !strings.Contains(err.Error(), "a/b:1") {
			t.Errorf("%s: %v", words, err)
		}
	}
}
