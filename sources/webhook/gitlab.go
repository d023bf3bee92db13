package webhook

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// gitlab is GitLab: webhooks of projects and groups, and system hooks. Its format
// is told by https://docs.gitlab.com/user/project/integrations/webhook_events/.
func gitlab() provider {
	return provider{name: "gitlab", forge: true, claim: gitlabClaim, parse: parseGitLab}
}

const (
	gitlabToken = "X-Gitlab-Token"
	// Newer versions sign as https://www.standardwebhooks.com describes, if the
	// webhook has a signing token; this prefix tells one from a secret token.
	signingPrefix   = "whsec_"
	signatureHeader = "webhook-signature"
	// maxSignatures is how many signatures of one delivery are looked at: one for
	// each signing token that the sender has.
	maxSignatures = 8
	maxClaim      = 4096 // bytes of a header that proves the sender
)

// gitlabClaim takes a signature for signing tokens, and the token that GitLab
// sends as it is for secret ones. A signing token is never taken as it is. The
// time in a signature is not looked at: a replay does no harm.
func gitlabClaim(header http.Header) (claim, bool) {
	token, signature := header.Get(gitlabToken), header.Get(signatureHeader)
	if token == "" && signature == "" || len(token) > maxClaim || len(signature) > maxClaim {
		return claim{}, false
	}
	signed := []byte(header.Get("webhook-id") + "." + header.Get("webhook-timestamp") + ".")
	return claim{bodiless: signature == "", fits: func(secret, body []byte) bool {
		if text, ok := bytes.CutPrefix(secret, []byte(signingPrefix)); ok {
			key, err := base64.StdEncoding.DecodeString(string(text))
			return err == nil && len(key) > 0 && signedBy(signature, sum(key, signed, body))
		}
		return token != "" && equalTokens([]byte(token), secret)
	}}, true
}

// signedBy tells whether one of the signatures of a header, as "v1,BASE64 …",
// is the right one.
func signedBy(header string, right []byte) bool {
	good := false
	for i, one := range strings.Fields(header) {
		if i == maxSignatures {
			break
		}
		digits, ok := strings.CutPrefix(one, "v1,")
		signature, err := base64.StdEncoding.DecodeString(digits)
		good = ok && err == nil && hmac.Equal(signature, right) || good
	}
	return good
}

// equalTokens compares in a time that tells nothing of a token, not even its
// length.
func equalTokens(a, b []byte) bool {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return hmac.Equal(x[:], y[:])
}

// A gitlabEvent is what matters here of GitLab's events.
type gitlabEvent struct {
	Ref     string   `json:"ref"`
	Refs    []string `json:"refs"`
	Project struct {
		HTTPURL string `json:"git_http_url"`
		SSHURL  string `json:"git_ssh_url"`
		WebURL  string `json:"web_url"`
	} `json:"project"`
	Attributes struct {
		Number       int64  `json:"iid"`
		Action       string `json:"action"`
		OldRevision  string `json:"oldrev"`
		TargetBranch string `json:"target_branch"`
	} `json:"object_attributes"`
}

// gitlabEvents are those that matter, with what they hint at.
var gitlabEvents = map[string]func(gitlabEvent) (delivery, error){
	"push": gitlabEvent.pushed, "tag_push": gitlabEvent.pushed,
	"repository_update": gitlabEvent.updated,
	"merge_request":     gitlabEvent.mergeRequest,
}

// parseGitLab goes by the body: the header says only System Hook of system hooks.
func parseGitLab(_ http.Header, body []byte) (delivery, error) {
	var kind struct {
		Object string `json:"object_kind"`
		Event  string `json:"event_name"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return delivery{}, errors.New("the body is not the JSON of an event")
	}
	name := cmp.Or(kind.Object, kind.Event)
	read, ok := gitlabEvents[name]
	if !ok {
		return delivery{}, nil
	}
	var e gitlabEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return delivery{}, fmt.Errorf("the body is not the JSON of a %s event", name)
	}
	return read(e)
}

func (e gitlabEvent) urls() []string {
	return []string{e.Project.HTTPURL, e.Project.SSHURL, e.Project.WebURL}
}

func (e gitlabEvent) pushed() (delivery, error) {
	if e.Ref == "" {
		return delivery{}, errMissing("ref")
	}
	return hinted(e.urls(), e.Ref)
}

// maxRefs is how many refs of one push are told apart.
const maxRefs = 16

// updated is the event of a system hook for all refs of one push.
func (e gitlabEvent) updated() (delivery, error) {
	if len(e.Refs) > maxRefs {
		return hinted(e.urls(), "")
	}
	return hinted(e.urls(), e.Refs...)
}

// mergeRequest hints at the ref that GitLab keeps for a merge request; what is
// merged has moved its target too.
func (e gitlabEvent) mergeRequest() (delivery, error) {
	m := e.Attributes
	switch {
	case m.Action == "open", m.Action == "reopen", m.Action == "close", m.Action == "merge":
	case m.Action == "update" && m.OldRevision != "": // its commits
	default: // its labels, its approvals
		return delivery{}, nil
	}
	if m.Number <= 0 {
		return delivery{}, errMissing("object_attributes.iid")
	}
	head := fmt.Sprintf("refs/merge-requests/%d/head", m.Number)
	if m.Action != "merge" {
		return hinted(e.urls(), head)
	}
	if m.TargetBranch == "" {
		return delivery{}, errMissing("object_attributes.target_branch")
	}
	return hinted(e.urls(), fullRef(branchPrefix, m.TargetBranch), head)
}
