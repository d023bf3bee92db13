package sources

// A Hint says that a repository may have moved. It is never the truth: whoever
// takes one asks the repository.
type Hint struct {
	URLs []string // spellings of the repository's clone URL, any of which may be the one that is followed
	Ref  string   // a branch, a tag or a full ref name; empty: any
	// Source is the name of the only source that may be woken; empty: any that
	// follows the repository.
	Source string
}
