package schema

// App is Berth's own app manifest: the identity of one release of an app and
// its flavours. It stands in an app repository.
type App struct {
	Identifier   string        `json:"identifier" rule:"identifier" required:"true" doc:"What the app is called everywhere; unique in the catalog." example:"org.stardist"`
	Version      Version       `json:"version" rule:"semver" required:"true" doc:"The version of this release, by Semantic Versioning." example:"0.4.10"`
	Name         string        `json:"name,omitempty" doc:"The app's name for people."`
	Description  string        `json:"description,omitempty" doc:"What the app does, in a sentence or two."`
	Author       string        `json:"author,omitempty" doc:"Who made the app."`
	Logo         string        `json:"logo,omitempty" doc:"A URL or path of a picture."`
	Entrypoint   string        `json:"entrypoint,omitempty" doc:"The module or script that starts the app."`
	Scopes       []string      `json:"scopes,omitempty" rule:"scope" doc:"Access rights that the app needs; a deployment must grant them."`
	Channels     []string      `json:"channels,omitempty" rule:"channel" doc:"Channels that point to this release." example:"stable"`
	Requirements []Requirement `json:"requirements,omitempty" doc:"Services that the app talks to."`
	Definitions  []Definition  `json:"definitions,omitempty" doc:"Functions that the app offers."`
	Flavours     []AppFlavour  `json:"flavours,omitempty" doc:"The ways to run this release. Without any, the manifest describes an app and publishes nothing."`
}

// AppFlavour is one flavour in an [App].
type AppFlavour struct {
	Name        string     `json:"name" rule:"flavour" required:"true" doc:"The flavour's name, unique in the release." example:"cuda"`
	Description string     `json:"description,omitempty" doc:"What this flavour is for."`
	Image       string     `json:"image" required:"true" doc:"The image to run." example:"docker.io/stardist/stardist:0.4.10-cuda"`
	Priority    int        `json:"priority,omitempty" range:"0,1000000" doc:"Lower is preferred."`
	Selectors   []Selector `json:"selectors,omitempty" doc:"What the flavour needs of a backend."`
	User        string     `json:"user,omitempty" rule:"runAs" doc:"The user (and group) that the container runs as, as UID[:GID] or a name."`
	Container
}
