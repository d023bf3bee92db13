package docker

import (
	"context"
	"errors"
	"strings"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	dockerimage "github.com/docker/docker/api/types/image"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// images is what is going on about images.
type images struct {
	ctx     context.Context // of all pulls: one serves many callers
	cancel  context.CancelFunc
	mu      sync.Mutex
	pulls   map[string]*pull // by reference, as written
	running sync.WaitGroup
	// inUse is held for reading while a container is made of an image, so that
	// the image is not pruned in between.
	inUse sync.RWMutex
}

// use keeps images from being pruned until the returned function is called.
func (im *images) use() (release func()) {
	im.inUse.RLock()
	return im.inUse.RUnlock
}

// ensureImage makes sure that the engine has the workload's image, as the pull
// policy says, and notes what it resolved to.
func (a *applier) ensureImage(ctx context.Context) error {
	if a.digest != "" {
		return nil
	}
	ref := a.w.Pod.Image
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return invalid("use", "image "+plain(ref), "write it as docker.io/ORG/NAME:TAG", "%w", err)
	}
	if a.w.Pod.Pull != schema.PullAlways {
		found, err := a.inspectImage(ctx, ref)
		if err == nil {
			a.digest = digest(named, found)
			return nil
		}
		if !cerrdefs.IsNotFound(err) {
			return err
		}
	}
	if a.w.Pod.Pull == schema.PullNever {
		return &schema.Error{
			Op: "use", Resource: "image " + ref, Kind: schema.Waiting, Err: errors.New("the engine does not have it, and the pull policy is never"),
			Hint: "load or build the image on the engine, or set pull to missing",
		}
	}
	return a.tell("", "pull", ref, func() error {
		err := a.pull(ctx, ref, func(detail string) {
			a.report(backends.Step{Deployment: a.w.Deployment, Verb: "pull", Detail: detail})
		})
		if err != nil {
			return err
		}
		found, err := a.inspectImage(ctx, ref)
		if err != nil {
			return err
		}
		a.digest = digest(named, found)
		return nil
	})
}

func (b *Backend) inspectImage(ctx context.Context, ref string) (found dockerimage.InspectResponse, err error) {
	err = b.call(ctx, callTimeout, "inspect", "image "+ref, func(ctx context.Context) error {
		found, err = b.api().ImageInspect(ctx, ref)
		return err
	})
	return found, err
}

// digest returns what a reference resolved to: the digest in its registry or, for
// an image that came from none, the image's ID.
func digest(named reference.Named, found dockerimage.InspectResponse) string {
	for _, text := range found.RepoDigests {
		parsed, err := reference.ParseNormalizedNamed(text)
		if err != nil {
			continue
		}
		if d, ok := parsed.(reference.Digested); ok && parsed.Name() == named.Name() {
			return d.Digest().String()
		}
	}
	return found.ID
}

// pullSymptoms are what registries answer.
var pullSymptoms = []symptom{
	{[]string{"manifest unknown"}, schema.Waiting, "push the image, or correct its name"},
	{[]string{"pull access denied"}, schema.Waiting, "correct the image's name, or log in to its registry with \"docker login\" as the user that Berth runs as"},
	{[]string{"no basic auth credentials"}, schema.Waiting, "log in to its registry with \"docker login\" as the user that Berth runs as"},
	{[]string{"unauthorized"}, schema.Waiting, "log in to its registry with \"docker login\" as the user that Berth runs as"},
	{[]string{"denied"}, schema.Waiting, "log in to its registry with \"docker login\" as the user that Berth runs as"},
	{[]string{"toomanyrequests"}, schema.Transient, "the registry limits how often images are pulled: log in, or wait"},
	{[]string{"no such host"}, schema.Transient, "the engine cannot find the registry: correct the image's name, or check the network"},
	{[]string{"x509"}, schema.Waiting, "the engine does not trust the registry's certificate: add its authority to the engine"},
	{[]string{"server gave http response to https client"}, schema.Waiting, "the registry speaks no TLS: add it to the engine's insecure-registries, if you trust the network"},
	{[]string{"connection refused"}, schema.Transient, "the registry does not answer"},
	{[]string{"i/o timeout"}, schema.Transient, "the registry does not answer"},
	{[]string{"timeout"}, schema.Transient, "the registry does not answer in time"},
}

// pullError classifies why an image could not be pulled. An image that is not
// there is waited for: a manifest is often pushed before its image.
func pullError(ref string, err error) error {
	text := strings.ToLower(err.Error())
	general := diagnose(text)
	if general == nil {
		for _, s := range pullSymptoms {
			if strings.Contains(text, s.words[0]) {
				return &schema.Error{Op: "pull", Resource: "image " + ref, Kind: s.kind, Hint: s.hint, Err: shorten(err)}
			}
		}
		if cerrdefs.IsNotFound(err) || strings.Contains(text, "not found") {
			return &schema.Error{Op: "pull", Resource: "image " + ref, Kind: schema.Waiting, Hint: pullSymptoms[0].hint, Err: shorten(err)}
		}
	}
	return classify("pull", "image "+ref, err)
}
