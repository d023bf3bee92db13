package docker

import (
	"regexp"
	"strings"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// dnsLabel matches names of instances and deployments, which become part of the
// engine's names.
var dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// check refuses what reaches out of the container unless the configuration
// allows it. The planner has refused it already; this is the last gate.
func check(w backends.Workload, allow schema.Allow) error {
	if !dnsLabel.MatchString(w.Deployment) {
		return invalid("run", plain(w.Deployment), "use letters, digits and dashes", "the deployment's name is no DNS label")
	}
	if err := backends.Allowed(w, allow); err != nil {
		return err
	}
	for key := range w.Pod.Env { // an engine's error would print the value
		if key == "" || strings.ContainsAny(key, "=\x00") {
			return invalid("run", w.Deployment, "a name has no \"=\" in it", "the environment variable %q has no usable name", key)
		}
	}
	return nil
}
