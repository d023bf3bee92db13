package schema

import (
	_ "crypto/sha256" // the digests of images
	_ "crypto/sha512"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/distribution/reference"
)

// validate checks the values of an app's manifest.
func (a *App) validate(r *report) {
	r.check(identifierRule, "identifier", a.Identifier)
	r.release("version", string(a.Version))
	r.check(lineRule, "name", a.Name)
	r.check(proseRule, "description", a.Description)
	r.check(lineRule, "author", a.Author)
	r.check(rule{maxURL, isLine, lineRule.what, lineRule.hint}, "logo", a.Logo)
	r.check(lineRule, "entrypoint", a.Entrypoint)
	r.list(scopeRule, "scopes", a.Scopes)
	r.list(channelRule, "channels", a.Channels)

	keys := distinct{}
	for i, q := range a.Requirements {
		at := fmt.Sprintf("requirements[%d]", i)
		keys.add(r, at+".key", q.Key)
		r.check(lineRule, at+".key", q.Key)
		r.check(lineRule, at+".service", q.Service)
		r.check(proseRule, at+".description", q.Description)
	}
	for i, d := range a.Definitions {
		d.validate(r, fmt.Sprintf("definitions[%d]", i))
	}
	names := distinct{}
	for i := range a.Flavours {
		at := fmt.Sprintf("flavours[%d]", i)
		names.add(r, at+".name", a.Flavours[i].Name)
		a.Flavours[i].validate(r, at)
	}
}

func (f *AppFlavour) validate(r *report, at string) {
	r.check(flavourRule, at+".name", f.Name)
	r.check(proseRule, at+".description", f.Description)
	r.image(at+".image", f.Image)
	r.between(at+".priority", f.Priority, 0, 1_000_000)
	r.check(runAsRule, at+".user", f.User)
	f.Container.validate(r, at+".")
}

func (d *Definition) validate(r *report, at string) {
	r.check(lineRule, at+".name", d.Name)
	r.check(lineRule, at+".key", d.Key)
	r.check(proseRule, at+".description", d.Description)
	r.check(lineRule, at+".kind", d.Kind)
	for i, p := range d.Args {
		p.validate(r, fmt.Sprintf("%s.args[%d]", at, i))
	}
	for i, p := range d.Returns {
		p.validate(r, fmt.Sprintf("%s.returns[%d]", at, i))
	}
}

func (p *Parameter) validate(r *report, at string) {
	r.check(lineRule, at+".key", p.Key)
	r.check(lineRule, at+".kind", p.Kind)
}

// release checks the version of a release, which is strict SemVer.
func (r *report) release(path, version string) {
	if version == "" {
		return
	}
	_, err := semver.StrictNewVersion(version)
	if err == nil && len(version) <= maxVersion {
		return
	}
	hint := "write it as MAJOR.MINOR.PATCH, for example 0.4.10 or 1.0.0-beta.1"
	if v, err := semver.NewVersion(version); err == nil && len(version) <= maxVersion {
		hint = "write it as " + v.String()
	}
	r.error(path, quote(version)+" is no version by Semantic Versioning", hint)
}

// image checks an image reference.
func (r *report) image(path, image string) {
	if image == "" {
		return
	}
	if message, hint := CheckImage(image); message != "" {
		r.error(path, message, hint)
	}
}

// CheckImage says what is wrong with an image reference, and how to put it
// right; nothing where it is one that an engine takes.
func CheckImage(image string) (message, hint string) {
	_, err := reference.ParseNormalizedNamed(image)
	message = quote(image) + " is no image"
	switch {
	case err == nil && len(image) <= maxLine:
		return "", ""
	case strings.Contains(image, "://"):
		return message, "leave out " + image[:min(len(image), maxLabel, strings.Index(image, "://")+3)]
	case strings.ToLower(image) != image:
		return message, "its name must be in lower case: REGISTRY/NAME:TAG"
	default:
		return message, "write it as REGISTRY/NAME:TAG, for example docker.io/stardist/stardist:0.4.10"
	}
}
