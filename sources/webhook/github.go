package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// github is GitHub, in the cloud and on one's own servers. Its format is told by
// https://docs.github.com/webhooks/webhook-events-and-payloads.
func github() provider {
	return provider{
		name: "github", forge: true,
		claim: hexClaim("X-Hub-Signature-256", signaturePrefix),
		parse: func(header http.Header, body []byte) (delivery, error) {
			return parseEvent(header.Get("X-GitHub-Event"), body)
		},
	}
}

// An event is what matters here of the events of GitHub, and of Gitea, which
// has them in the same shape. Decoding looks at no more of a body than that.
type event struct {
	Ref        string `json:"ref"`
	RefType    string `json:"ref_type"`
	Action     string `json:"action"`
	Number     int64  `json:"number"`
	Repository struct {
		CloneURL string `json:"clone_url"`
		SSHURL   string `json:"ssh_url"`
		HTMLURL  string `json:"html_url"`
	} `json:"repository"`
	PullRequest struct {
		Merged bool `json:"merged"`
		Base   struct {
			Ref string `json:"ref"`
		} `json:"base"`
	} `json:"pull_request"`
}

// events are those that matter, with what they hint at. The others are not even
// decoded.
var events = map[string]func(event) (delivery, error){
	"push":   event.pushed,
	"create": event.namedRef, "delete": event.namedRef,
	"pull_request": event.pullRequest,
}

// parseEvent reads an event of GitHub or Gitea.
func parseEvent(name string, body []byte) (delivery, error) {
	if name == "ping" {
		return delivery{ping: true}, nil
	}
	read, ok := events[name]
	if !ok {
		return delivery{}, nil
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return delivery{}, fmt.Errorf("the body is not the JSON of a %s event", name)
	}
	return read(e)
}

func (e event) urls() []string {
	return []string{e.Repository.CloneURL, e.Repository.SSHURL, e.Repository.HTMLURL}
}

func (e event) pushed() (delivery, error) {
	if e.Ref == "" {
		return delivery{}, errMissing("ref")
	}
	return hinted(e.urls(), e.Ref)
}

// namedRef is a branch or a tag that was made or deleted.
func (e event) namedRef() (delivery, error) {
	prefix, ok := map[string]string{"branch": branchPrefix, "tag": tagPrefix}[e.RefType]
	switch {
	case !ok: // a repository was made
		return delivery{}, nil
	case e.Ref == "":
		return delivery{}, errMissing("ref")
	}
	return hinted(e.urls(), fullRef(prefix, e.Ref))
}

// pullRequest hints at the ref that a forge keeps for a pull request; what is
// merged has moved its base too.
func (e event) pullRequest() (delivery, error) {
	switch e.Action {
	case "opened", "reopened", "closed", "synchronize", "synchronized": // the last is Gitea's
	default: // its labels, its reviewers: not its commits
		return delivery{}, nil
	}
	if e.Number <= 0 {
		return delivery{}, errMissing("number")
	}
	head := fmt.Sprintf("refs/pull/%d/head", e.Number)
	if e.Action != "closed" || !e.PullRequest.Merged {
		return hinted(e.urls(), head)
	}
	if e.PullRequest.Base.Ref == "" {
		return delivery{}, errMissing("pull_request.base.ref")
	}
	return hinted(e.urls(), fullRef(branchPrefix, e.PullRequest.Base.Ref), head)
}

func errMissing(key string) error { return errors.New(key + " is missing") }
