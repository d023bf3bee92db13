package arkitekt

import (
	"go.yaml.in/yaml/v4"

	"github.com/berthdev/berth/schema"
)

// listKeys are the keys under which the entries of a published file stand.
var listKeys = []string{"deployments", "app_images", "images"}

// entryMarks are keys of which an entry of Arkitekt's has at least one. Without
// any, a list under one of listKeys is somebody else's.
var entryMarks = []string{
	"manifest", "identifier", "version", "scopes", "deployed", "deployer", "deployed_at", "deployment_id",
	"deployment_run", "build_id", "builder", "app_image_id", "flavour", "flavour_name", "flavours", "inspection",
	"selectors", "requirements", "definitions", "templates", "implementations", "entrypoint",
}

// fileMarks are keys beside the list that only Arkitekt's tools write.
var fileMarks = []string{"latest_deployment", "latest_deployment_run", "latest_app_image"}

// Detect tells the form of a document by its content. It is
// [schema.FormUnknown] for one that is not Arkitekt's.
func Detect(node *yaml.Node) schema.Form { return newDocument(node).detect() }

// Read reads a document that [schema.ParseYAML] returned. It tells whether the
// document is Arkitekt's at all; if not, the publication is empty.
func Read(file string, node *yaml.Node) (schema.Publication, bool) {
	d := newDocument(node)
	r := reader{file: file, pub: schema.Publication{Form: d.detect()}}
	switch r.pub.Form {
	case schema.FormUnknown:
		return r.pub, false
	case schema.FormAppIdentity:
		e := newEntry(node, "")
		if identity := r.identity(e); r.named(e, identity) {
			r.pub.Identities = []schema.Release{identity}
		}
	default:
		for _, e := range d.entries {
			r.read(e)
		}
	}
	return r.pub, true
}

// A document is a published file, taken apart into its entries.
type document struct {
	root    *yaml.Node
	lists   int // how many lists of entries it has, empty ones included
	entries []entry
}

// newDocument finds the entries of a document: under one of listKeys, or of
// several of them, as the whole document, or the document itself.
func newDocument(root *yaml.Node) document {
	d := document{root: root}
	switch {
	case root == nil || foreign(root):
	case root.Kind == yaml.SequenceNode:
		d.add(root, "")
	case root.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(root.Content); i += 2 {
			for _, key := range listKeys {
				if schema.SameKey(root.Content[i].Value, key) {
					d.add(root.Content[i+1], root.Content[i].Value)
				}
			}
		}
		if e := newEntry(root, ""); len(d.entries) == 0 && e.publishes() {
			d.entries = []entry{e}
		}
	}
	return d
}

// add adds the entries of a list, if it is Arkitekt's.
func (d *document) add(list *yaml.Node, key string) {
	members := items(list, isEntry)
	ours := has(d.root, fileMarks...) || len(members) == 0 && key != "" && !schema.SameKey(key, "images")
	for _, m := range members {
		ours = ours || has(m.node, entryMarks...)
	}
	if !ours {
		return
	}
	d.lists++
	for i, m := range members {
		d.entries = append(d.entries, newEntry(m.node, m.path(key, i)))
	}
}

// detect tells the form of the document.
func (d document) detect() schema.Form {
	switch {
	case d.lists > 0, len(d.entries) > 0:
		return d.form()
	case !isMapping(d.root), foreign(d.root):
		return schema.FormUnknown
	case has(d.root, "builds"):
		return schema.FormArkitektBuilds
	case text(newEntry(d.root, "").field("identifier")) != "":
		return schema.FormAppIdentity
	case has(d.root, "dockerfile", "build_command", "selectors"):
		return schema.FormArkitektFlavour
	default:
		return schema.FormUnknown
	}
}

// foreign tells whether a document is told by its kind, as the objects of
// Kubernetes and Berth's own desired state are.
func foreign(root *yaml.Node) bool {
	kind, version := isScalar(field(root, "kind")), has(root, "api_version")
	return kind && version || (kind || version) && !has(root, "deployments", "app_images")
}

// isEntry tells an entry from a mapping of names to entries.
func isEntry(node *yaml.Node) bool {
	return isScalar(alone(field(node, "identifier", "version", "image"))) ||
		has(node, "manifest", "inspection", "app_image_id", "flavours", "deployed")
}
