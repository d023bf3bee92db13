package githubtest

import (
	"net/http"
	"strings"
	"time"
)

// who tells who asks; false: what it shows for that is not valid.
func (s *Server) who(r *http.Request) (caller, bool) {
	token := tokenOf(r)
	if token == "" {
		return caller{}, r.Header.Get("Authorization") == ""
	}
	if by, ok := s.tokens[token]; ok {
		return by, by.until.IsZero() || time.Now().Before(by.until)
	}
	for _, app := range s.apps {
		if app.signed(token) {
			return caller{app: app}, true
		}
	}
	return caller{}, false
}

func tokenOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token") {
		return token
	}
	return ""
}
