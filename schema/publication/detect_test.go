package publication_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/publication"
)

func TestDetect(t *testing.T) {
	tests := []struct {
		text string
		want schema.Form
	}{
		{ownManifest, schema.FormApp},
		{"identifier: a\nflavours:\n", schema.FormApp},
		{"name: a\nversion: 1.0.0\nflavor: {name: x, image: i}\n", schema.FormApp},
		{"identifier: a\nversion: 1\nimage: i\nflavour: {name: cuda}\n", schema.FormD},
		{"identifier: a\nversion: 1\ndeployed_at: x\nflavours: [{name: x, image: i}]\n", schema.FormDocumented},
		{"deployments: {identifier: a, version: 1, flavours: [{name: x, image: i}]}\n", schema.FormDocumented},
		{"identifier: a\n", schema.FormAppIdentity},
		{"kind: Deployment\nname: a\nflavours: [x]\n", schema.FormDesired},
		{"kind: Depolyment\n", schema.FormDesired},
		{"kind: Secret\napiVersion: v1\n", schema.FormUnknown},
		{"kind:\nname: a\n", schema.FormUnknown},
		{"just text\n---\nkind: Repo\nname: a\n", schema.FormDesired},
		{"desired: {url: x}\n", schema.FormConfig},
		{"instance: lab\ndesired: {url: x}\nlisen: x\n", schema.FormConfig},
		{"listen: x\nservices: {}\nvolumes: {}\n", schema.FormUnknown},
		{"log: {level: info}\n", schema.FormUnknown},
		{"selectors: []\ndockerfile: Dockerfile\n", schema.FormArkitektFlavour},
		{"builds: []\n", schema.FormArkitektBuilds},
		{"deployments: []\n", schema.FormA},
		{"{}\n", schema.FormUnknown},
		{"[]\n", schema.FormUnknown},
		{"", schema.FormUnknown},
	}
	for _, tt := range tests {
		docs, problems := schema.ParseYAML("f", []byte(tt.text))
		if len(problems) > 0 {
			t.Fatalf("%q: %v", tt.text, problems)
		}
		if got := publication.Detect(docs); got != tt.want {
			t.Errorf("Detect(%q) = %s, want %s", tt.text, got, tt.want)
		}
	}
}

// A file of which half the keys are those of a configuration is one.
func TestDetectKnowsEveryConfigKey(t *testing.T) {
	for f := range reflect.TypeFor[schema.Config]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "listen" {
			continue
		}
		docs, _ := schema.ParseYAML("f", []byte(name+": x\nlisten: z\nother: y\nanother: z\n"))
		if got := publication.Detect(docs); got != schema.FormConfig {
			t.Errorf("%s is not known as a key of the configuration: %s", name, got)
		}
	}
}
