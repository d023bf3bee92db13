package schema

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// otherWords are keys that people know from elsewhere, and what to write
// instead: in which mappings (by the name of their Go type; a flavour and a
// deployment are both a Container), which keys, which hint.
var otherWords = []struct{ in, keys, hint string }{
	{"App Deployment Repo Config", "apiversion metadata spec", "Berth's documents are flat: every key stands at the top"},
	{"App Config", "kind", "this document needs no kind: remove it"},

	{"Container", "environment environmentvariables", "write it as env"},
	{"Container", "cmd", "write it as args"},
	{"Container", "entrypoint", "write it as command"},
	{"Container", "workingdir cwd", "write it as workdir"},
	{"Container", "mounts volumemounts", "write it as volumes"},
	{"Container", "livenessprobe readinessprobe", "write it as healthcheck"},
	{"Container", "imagepullpolicy", "write it as pull"},
	{"Container", "terminationgraceperiodseconds stoptimeout", "write it as stopGracePeriod, with a unit"},
	{"Container", "restartpolicy", "write it as restart"},
	{"Container", "networkmode networks", "write it as network"},
	{"Container", "gpu gpus", "write it under resources: {gpus: 1}"},
	{"Container", "capadd", "write it under capabilities as add"},
	{"Container", "capdrop", "write it under capabilities as drop"},
	{"Healthcheck", "test exec", "write it as command"},
	{"Resources", "limits requests", "write cpu, memory and gpus here"},

	{"Deployment", "image images selectors", "it comes from the app's manifest: push it there"},
	{"Deployment", "flavours", "write flavour, one name; flavours come from the app's manifest"},
	{"Deployment", "identifier application", "write it as app"},
	{"Deployment", "release tag channel", "write it as version"},
	{"Deployment", "scale instances count", "write it as replicas"},
	{"Deployment", "namespace", "it belongs to the backend, in the server's configuration"},
	{"Deployment", "securitycontext", "write the container's user as runAs"},

	{"Repo Desired", "branch tag commit revision", "write it as ref"},
	{"Repo Desired", "repository repo git", "write it as url"},
	{"Repo Desired", "poll", "write it as interval"},
	{"Repo", "path", "write it as paths, a list of globs"},
	{"Repo", "identifiers", "write it as apps"},
	{"Repo Desired", "credentials username password token secretref", "credentials stand in the server's configuration, by host"},

	{"App", "image", "give it to a flavour: flavours: [{name: vanilla, image: …}]"},
	{"App", "id", "write it as identifier"},
	{"App", "authors maintainer", "write it as author"},
	{"App", "icon", "write it as logo"},
	{"AppFlavour", "runas", "write it as user"},
	{"AppFlavour", "version", "the version belongs to the whole release"},

	{"Config", "url repo repository", "write it as desired: {url: …}"},
	{"Config", "port address", "write it as listen: ADDRESS:PORT"},
	{"Config", "repos deployments", "it is a document of the desired state: kind: Repo or kind: Deployment"},
	{"Credential", "token password", "a secret stands in an environment variable or a file: use tokenEnv or tokenFile"},
	{"Token", "token value secret", "only its hash belongs here: 'berth token NAME' makes both"},
	{"ServerTLS", "cert certificate", "write it as certFile"},
	{"ServerTLS", "key", "write it as keyFile"},
	{"ServerTLS", "cafile ca", "clients are not asked for certificates: remove it"},
	{"Config", "tokens users auth", "write it as access: {tokens: […]}"},
	{"WebhookRepo", "name", "write it as repo"},
	{"Webhooks WebhookRepo", "secret token", "a secret stands in an environment variable or a file: use secretEnv or secretFile"},
}

// unknownKey notes a key that no field has, with what may have been meant. It
// returns the field's key that was meant, if that is a matter of spelling.
func (d *decoder) unknownKey(key *yaml.Node, s *shape) (meant string) {
	if d.full() {
		return ""
	}
	meant, hint := d.unknownKeyHint(key.Value, s)
	d.problem(key, fmt.Sprintf("unknown key %q", clip(key.Value)), hint)
	return meant
}

func (d *decoder) unknownKeyHint(key string, s *shape) (meant, hint string) {
	if near := respelled(key, s.keys()); near != "" {
		return near, "did you mean " + near + "?"
	}
	if hint := otherWord(key, s, respelled); hint != "" {
		return "", hint
	}
	if near := Nearest(key, s.keys()); near != "" {
		return near, "did you mean " + near + "?"
	}
	for _, f := range s.fields {
		if inner := shapes()[deref(f.typ)]; inner != nil && inner.has(key) {
			return "", "it belongs under " + f.key
		}
	}
	if n := len(d.around) - 1; n > 0 && slices.ContainsFunc(d.around[:n], func(s *shape) bool { return s.has(key) }) {
		return "", "it belongs further out"
	}
	if hint := otherWord(key, s, Nearest); hint != "" {
		return "", hint
	}
	return "", "known are " + strings.Join(s.keys(), ", ")
}

// otherWord returns the hint for a key that other tools have, if same finds it
// among them.
func otherWord(key string, s *shape, same func(string, []string) string) string {
	for _, w := range otherWords {
		here := slices.Contains(strings.Fields(w.in), s.name) || w.in == "Container" && s.has("stopGracePeriod")
		if here && same(key, strings.Fields(w.keys)) != "" {
			return w.hint
		}
	}
	return ""
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// allowedHint lists the values that are allowed, the nearest first.
func allowedHint(value string, allowed []string) string {
	list := "allowed are " + strings.Join(allowed, ", ")
	if near := Nearest(value, allowed); near != "" {
		return "did you mean " + near + "? " + list
	}
	return list
}

// fieldExample shows a field with its example.
func fieldExample(f *field) string {
	switch {
	case len(f.enum) > 0:
		return allowedHint("", f.enum)
	case f.example == "":
		return ""
	case f.typ.Kind() == reflect.Slice:
		return "for example " + f.key + ": [" + quoteFlow(f.example) + "]"
	case f.key == "": // an item of a list
		return "for example " + quoteFlow(f.example)
	}
	return "for example " + f.key + ": " + quoteFlow(f.example)
}

// listHint shows how the text that a node holds would be written as a list.
func listHint(node *yaml.Node, f *field) string {
	if node.Kind != yaml.ScalarNode || len(node.Value) > 60 || strings.ContainsAny(node.Value, "\"'\\\n$|&;<>") {
		return fieldExample(f)
	}
	words := []string{node.Value}
	if f.key == "command" || f.key == "args" {
		words = strings.Fields(node.Value)
	}
	for i := range words {
		words[i] = quoteFlow(words[i])
	}
	return "write it as " + f.key + ": [" + strings.Join(words, ", ") + "]"
}

// mappingHint shows how a mapping begins that a field, an item of a list or a
// whole document must be.
func mappingHint(s *shape, f *field) string {
	first := s.fields[0].key + ": …"
	switch {
	case f.typ == nil:
		return "write it as " + first
	case f.key == "":
		return "write it as {" + first + "}"
	}
	return "write it as " + f.key + ": {" + first + "}"
}

// quoteFlow puts text in quotes where it could be read as something else in a
// flow list.
func quoteFlow(s string) string {
	if s == "" || strings.ContainsAny(s, ":,[]{}#\"' ") || strings.ContainsAny(s[:1], "*&!%@`|>?-") {
		return fmt.Sprintf("%q", s)
	}
	return s
}
