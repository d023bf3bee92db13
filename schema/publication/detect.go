package publication

import (
	"go.yaml.in/yaml/v4"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/arkitekt"
)

// Detect tells what the documents of a file are, as [schema.ParseYAML] returned
// them: the form of the first that is known. It tells app files apart from the
// desired state and from the server's configuration.
func Detect(documents []*yaml.Node) schema.Form {
	for _, root := range documents {
		if form := detect(root); form != schema.FormUnknown {
			return form
		}
	}
	return schema.FormUnknown
}

// detect tells what one document is.
func detect(root *yaml.Node) schema.Form {
	if root.Kind == yaml.MappingNode {
		switch keys := keysOf(root); {
		case isApp(keys):
			return schema.FormApp
		case isDesired(keys):
			return schema.FormDesired
		case isConfig(keys):
			return schema.FormConfig
		}
	}
	return arkitekt.Detect(root)
}

// fields are the values of a mapping by key.
type fields map[string]*yaml.Node

func keysOf(root *yaml.Node) fields {
	keys := make(fields, len(root.Content)/2)
	for i := 0; i+1 < len(root.Content); i += 2 {
		keys[root.Content[i].Value] = root.Content[i+1]
	}
	return keys
}

// has tells whether one of the names is a key, whatever its spelling.
func (f fields) has(names ...string) bool {
	for key := range f {
		for _, name := range names {
			if schema.SameKey(key, name) {
				return true
			}
		}
	}
	return false
}

// arkitektMarks are keys at the top that Berth's manifest does not have and
// Arkitekt's files do.
var arkitektMarks = []string{"deployments", "app_images", "deployed_at", "created_at", "build_id", "deployment_id"}

// isApp tells Berth's own manifest: it has an identifier and flavours. One that
// lacks the identifier or misspells the flavours is read as one too, so that
// its author learns of it.
func isApp(keys fields) bool {
	named := keys.has("identifier") || !keys.has("kind") && keys.has("version", "name")
	if !named || keys.has(arkitektMarks...) {
		return false
	}
	if keys.has("flavours") {
		return true
	}
	for key, value := range keys {
		for _, slip := range []string{"flavour", "flavors", "flavor"} {
			if schema.SameKey(key, slip) && value.Kind != yaml.ScalarNode && !keys.has("image") {
				return true
			}
		}
	}
	return false
}

// isDesired tells a document of the desired state: it has a kind, and no
// apiVersion as the objects of Kubernetes.
func isDesired(keys fields) bool {
	kind := keys["kind"]
	return kind != nil && kind.Kind == yaml.ScalarNode && kind.Tag != "!!null" &&
		!keys.has("api_version", "deployments", "app_images")
}

// isConfig tells the server's configuration: half of its keys at least are
// those of one, and one of them is nothing else's.
func isConfig(keys fields) bool {
	known := 0
	for _, key := range append([]string{"credentials", "status", "log", "tls", "access", "leaderElection"}, configMarks...) {
		if keys.has(key) {
			known++
		}
	}
	return keys.has(configMarks...) && 2*known >= len(keys)
}

// configMarks are keys that only the server's configuration has.
var configMarks = []string{"instance", "listen", "dataDir", "desired", "webhooks", "backends"}
