package statuses

import (
	"strings"

	"github.com/berthdev/berth/sources/forge"
)

// same tells whether what a forge tells may be what it was told: forges shorten
// descriptions, and GitLab has no error, only failures.
func same(told, has forge.Status) bool {
	if told.Context != has.Context || told.URL != has.URL {
		return false
	}
	if told.State != has.State && (told.State != forge.Error || has.State != forge.Failure) {
		return false
	}
	beginning, cut := strings.CutSuffix(has.Description, "…")
	return told.Description == has.Description || cut && strings.HasPrefix(told.Description, beginning)
}

// found takes in what the forge said that it has of a context.
func (k *key) found(st forge.Status) {
	k.count = max(k.count, 1)
	switch {
	case k.known && same(k.has, st): // what was sent is known better than what is told of it
	case k.wanted && same(k.want, st):
		k.has = k.want
	default:
		k.has = st
	}
	k.known = true
}
