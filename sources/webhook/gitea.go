package webhook

import (
	"cmp"
	"net/http"
)

// gitea is Gitea, and Forgejo, which sends the same under names of its own too.
// Its format is told by https://docs.gitea.com/usage/repository/webhooks. It has
// no ping: its test delivery is a push.
func gitea() provider {
	return provider{
		name: "gitea", forge: true,
		claim: func(header http.Header) (claim, bool) {
			name := "X-Gitea-Signature"
			if header.Get("X-Forgejo-Signature") != "" {
				name = "X-Forgejo-Signature"
			}
			return hexClaim(name, "")(header)
		},
		parse: func(header http.Header, body []byte) (delivery, error) {
			return parseEvent(cmp.Or(header.Get("X-Forgejo-Event"), header.Get("X-Gitea-Event")), body)
		},
	}
}
