package catalog

// A Query is what is searched for.
type Query struct {
	// Text holds words, all of which must be found, and filters as
	// repo:NAME, selector:KIND and scope:NAME.
	Text     string
	Repo     string // the repo that publishes it; empty: any
	Selector string // the kind of a selector that a flavour has; gpu stands for every kind of GPU; empty: any
	Scope    string // a scope that the release needs; empty: any
	Limit    int    // most hits; 0: all
}

// A Hit is an app that matches a [Query].
type Hit struct {
	App     *App
	Release *Release // the best one that matches: newest stable first; nil for an app without releases
	Score   int      // higher is better
	Matches []Match  // what was found, the best first
}

// A Match is where a word of a query was found.
type Match struct {
	Field   string // identifier, name, description, author, repo, definition, argument
	Snippet string // the text around it, as written
}
