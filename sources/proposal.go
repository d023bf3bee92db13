package sources

// Forges serve the newest commit of what is proposed under refs of their own, in
// the repository that it is proposed to: GitHub and Gitea as refs/pull/NUMBER/head,
// GitLab as refs/merge-requests/NUMBER/head. What they make of it themselves stands
// beside it, as refs/pull/NUMBER/merge.
const (
	PullPrefix         = "refs/pull/"
	MergeRequestPrefix = "refs/merge-requests/"
)
