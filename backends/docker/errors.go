package docker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/berthdev/berth/schema"
)

// A symptom is how the engine words a problem, and what it means. The engine
// gives most problems the status 500, so only the words tell them apart.
type symptom struct {
	words []string // all of them occur, in lower case
	kind  schema.ErrorKind
	hint  string
}

// NoRights says what to do where the engine's socket may not be opened: most often
// the engine runs, and the user was never added to its group.
const NoRights = "the engine's socket is not for this user: add the user to the group docker ('sudo usermod -aG docker NAME', then log in again), or run Berth as root"

// symptoms are tried in order. Waiting, not terminal, are those that a person
// puts right outside of Berth: it looks again by itself.
var symptoms = []symptom{
	{[]string{"no space left on device"}, schema.Waiting, "the engine's disk is full: free some space, for instance with \"docker system prune\""},
	{[]string{"disk quota exceeded"}, schema.Waiting, "the engine's disk is full: free some space, for instance with \"docker system prune\""},
	{[]string{"permission denied while trying to connect"}, schema.Transient, NoRights},
	{[]string{"port is already allocated"}, schema.Transient, "another container has the port: choose another one, or leave out the host port"},
	{[]string{"address already in use"}, schema.Transient, "another program on the engine's host has the port: choose another one, or leave out the host port"},
	{[]string{"cannot assign requested address"}, schema.Invalid, "the engine's host has no such address: correct the port's address, or leave it out"},
	{[]string{"non-overlapping"}, schema.Waiting, "the engine has no addresses left for another network: remove networks that nobody uses, for instance with \"docker network prune\""},
	{[]string{"bind source path does not exist"}, schema.Waiting, "make the folder on the engine's host"},
	{[]string{"no matching manifest"}, schema.Invalid, "the image is not built for this backend's processor: choose another flavour or backend"},
	{[]string{"does not match the specified platform"}, schema.Invalid, "the image is not built for this backend's processor: choose another flavour or backend"},
	{[]string{"cannot be used on this platform"}, schema.Invalid, "the image is not built for this backend's system: choose another flavour or backend"},
	{[]string{"exec format error"}, schema.Invalid, "the image is not built for this backend's processor: choose another flavour or backend"},
	{[]string{"executable file not found"}, schema.Invalid, "the image has no such command: correct the command"},
	{[]string{"exec:", "no such file or directory"}, schema.Invalid, "the image has no such command: correct the command"},
	{[]string{"exec:", "permission denied"}, schema.Invalid, "the command is no executable file, or the user may not run it"},
	{[]string{"no command specified"}, schema.Invalid, "the image has no command of its own: set one"},
	{[]string{"unable to find user"}, schema.Invalid, "the image knows no such user: correct the user, or write it as a number"},
	{[]string{"unable to find group"}, schema.Invalid, "the image knows no such group: correct the user, or write it as a number"},
	{[]string{"could not select device driver"}, schema.Waiting, "the engine cannot give GPUs to containers: install the NVIDIA container toolkit on its host"},
	{[]string{"nvidia-container-cli"}, schema.Waiting, "the engine could not give the GPU to the container: check the driver on its host"},
	{[]string{"error gathering device information"}, schema.Waiting, "the engine's host has no such device: check the GPUs in the backend's configuration"},
	{[]string{"has active endpoints"}, schema.Waiting, "containers that Berth did not make use the network: disconnect them"},
	{[]string{"volume is in use"}, schema.Waiting, "a container that Berth did not make uses the volume: remove it"},
	{[]string{"does not support reading"}, schema.Terminal, "the container's log driver only sends its log away: look where it sends it, or set the driver json-file or local on the engine and make the pod anew"},
	{[]string{"is ambiguous"}, schema.Transient, "several networks have the same name"},
	{[]string{"client version", "is too"}, schema.Transient, ""},
}

// classify makes an error of the engine into a [schema.Error]. One that is
// classified already, on the way to the engine, stays as it is.
func classify(op, resource string, err error) error {
	if err == nil {
		return nil
	}
	var done *schema.Error
	if errors.As(err, &done) {
		return done
	}
	e := &schema.Error{Op: op, Resource: resource, Kind: schema.Transient, Err: shorten(err)}
	if s := diagnose(err.Error()); s != nil {
		e.Kind, e.Hint = s.kind, s.hint
		return e
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.Hint = "the engine did not answer in time"
	case errors.Is(err, context.Canceled):
	case client.IsErrConnectionFailed(err):
		e.Hint = "is the Docker Engine running, and may Berth reach it?"
	case cerrdefs.IsPermissionDenied(err):
		e.Kind, e.Hint = schema.Waiting, "Berth may not do this on the engine"
	case cerrdefs.IsInvalidArgument(err):
		e.Kind, e.Hint = schema.Invalid, "the engine refuses the container as it is declared"
	}
	return e
}

// diagnose returns the first symptom that a message shows; nil: none.
func diagnose(message string) *symptom {
	text := strings.ToLower(message)
	for i, s := range symptoms {
		if !slices.ContainsFunc(s.words, func(word string) bool { return !strings.Contains(text, word) }) {
			return &symptoms[i]
		}
	}
	return nil
}

// A reworded error has the cause's chain and a text for people.
type reworded struct {
	text string
	err  error
}

func (e reworded) Error() string { return e.text }
func (e reworded) Unwrap() error { return e.err }

// shorten leaves out of an engine's error what tells a person nothing.
func shorten(err error) error { return reworded{plain(err.Error()), err} }

var noise = []*regexp.Regexp{
	regexp.MustCompile(`^Error response from daemon: `),
	regexp.MustCompile(`(failed to create shim task|failed to create task for container|OCI runtime create failed|runc create failed|unable to start container process|container_linux\.go:\d+|starting container process caused): `),
	regexp.MustCompile(`driver failed programming external connectivity on endpoint \S+( \([0-9a-f]+\))?: `),
	regexp.MustCompile(`(Error starting userland proxy|failed to set up container networking|failed to bind host port for [^:]*): `),
	regexp.MustCompile(`: unknown$`),
	regexp.MustCompile(`: (Head|Get|Post|Put|Delete) "http://%2F.*$`), // a socket, which is named before
	regexp.MustCompile(`\. Is the docker daemon running\?$`),
}

// plain shortens an engine's message and bounds its length.
func plain(text string) string {
	const most = 500
	for _, re := range noise {
		text = re.ReplaceAllString(text, "")
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// hopeless tells whether a container that the engine could not start never can be.
func hopeless(message string) bool {
	s := diagnose(message)
	return s != nil && s.kind == schema.Invalid
}

// invalid returns an error that goes away when the declaration changes.
func invalid(op, resource, hint, format string, args ...any) error {
	return &schema.Error{Op: op, Resource: resource, Kind: schema.Invalid, Hint: hint, Err: fmt.Errorf(format, args...)}
}
