package schema

import "go.yaml.in/yaml/v4"

// DecodeApp reads an app's manifest in Berth's own form, strictly, from the
// root of a document that [ParseYAML] returned. What is returned with errors
// must not be used. Without any flavour it describes an app and publishes
// nothing.
func DecodeApp(file string, node *yaml.Node) (Release, Problems) {
	return decodeApp(file, Document{Root: node})
}

// DecodeAppFile reads a file of app manifests in Berth's own form: the releases
// without errors, those with flavours apart from those that only describe an
// app, and all that is wrong.
func DecodeAppFile(file string, data []byte) (releases, identities []Release, problems Problems) {
	docs, problems := ParseDocuments(file, data)
	for _, doc := range docs {
		if doc.Root == nil {
			problems = append(problems, doc.Problems...)
			continue
		}
		release, wrong := decodeApp(file, doc)
		problems = append(problems, wrong...)
		switch {
		case len(wrong.Errors()) > 0:
		case len(release.Flavours) > 0:
			releases = append(releases, release)
		default:
			identities = append(identities, release)
		}
	}
	return releases, identities, tidy(problems)
}

func decodeApp(file string, doc Document) (Release, Problems) {
	var app App
	problems := decodeDocument(file, doc, "", &app, app.validate)
	release := app.release()
	release.Line, release.Column = doc.Root.Line, doc.Root.Column
	return release, tidy(problems)
}

// release returns what the manifest publishes. Requirements and definitions
// belong to the whole release, and so to each flavour.
func (a *App) release() Release {
	r := Release{
		Identifier: a.Identifier, Version: string(a.Version),
		Name: a.Name, Description: a.Description, Author: a.Author,
		Entrypoint: a.Entrypoint, Logo: a.Logo,
		Scopes: a.Scopes, Channels: a.Channels,
	}
	for _, f := range a.Flavours {
		r.Flavours = append(r.Flavours, Flavour{
			Name: f.Name, Description: f.Description, Image: f.Image, Priority: f.Priority,
			Selectors: f.Selectors, Requirements: a.Requirements, Definitions: a.Definitions,
			User: f.User, Container: f.Container,
		})
	}
	return r
}
