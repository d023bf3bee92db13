package catalog

// Errors returns why entries and files of a repo cannot be used, as file:line:col
// and why.
func (c *Catalog) Errors(repo string) []string {
	var out []string
	for _, n := range c.Notices() {
		if n.Repo == repo && (n.Kind == NoticeInvalid || n.Kind == NoticeNotAllowed) {
			out = append(out, n.Message)
		}
	}
	return out
}

// Published returns the releases of a repo whose content was first seen at a
// commit, also those that are shadowed, in the order of identifiers; with an empty
// commit, all of the repo.
func (c *Catalog) Published(repo, commit string) []*Release {
	var out []*Release
	for _, app := range c.Apps() {
		for _, releases := range [][]*Release{app.Releases, app.Shadowed} {
			for _, r := range releases {
				if r.Repo == repo && (commit == "" || r.Commit == commit) {
					out = append(out, r)
				}
			}
		}
	}
	return out
}
