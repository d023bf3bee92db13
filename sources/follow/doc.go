// Package follow keeps sources current and turns what they hold into values:
// the desired-state repository into the desired state, the app repositories
// that it names into the catalog.
//
// Each source has a follower: one goroutine that asks it again and again, at
// its interval, or as soon as it is woken by a webhook or a file event. The
// [Hub] owns the followers and the values. A value is swapped whole, so readers
// never wait and never see half of a commit.
//
// What is not in force yet can be looked at too: [Hub.Propose] tells what the
// desired state would be if a branch were merged, and [Hub.ProposeManifests] what
// a branch of an app repository would publish. Neither touches the values.
//
// What cannot be read changes nothing: the values stay as they were, and the
// status of the source says why.
package follow
